package image

import (
	"fmt"
	"regexp"
	"strings"
)

var namePattern = regexp.MustCompile(`^[a-z0-9]+([._:/-][a-zA-Z0-9._-]+)*(@sha256:[0-9a-f]{64})?$`)

// FullName is a name as the kubelet will look for it: with the registry that a short name implies,
// and with a tag. The rules are those of docker's short names.
func FullName(name string) (string, error) {
	if !namePattern.MatchString(name) {
		return "", fmt.Errorf("%q is not an image name; want for example registry.example.com/team/image:1.0", name)
	}
	registry, rest, hasRegistry := strings.Cut(name, "/")
	isRegistry := hasRegistry && (strings.ContainsAny(registry, ".:") || registry == "localhost")
	switch {
	case !hasRegistry:
		name = "docker.io/library/" + name
	case !isRegistry:
		name = "docker.io/" + name
	default:
		name = registry + "/" + rest
	}
	if !strings.Contains(name[strings.LastIndexByte(name, '/'):], ":") && !strings.Contains(name, "@") {
		name += ":latest"
	}
	return name, nil
}
