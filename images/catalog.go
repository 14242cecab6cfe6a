// Package images describes and assembles the product's container images. They
// are built without a container engine: static Go binaries, a few directories and
// links, and files of pinned Debian packages make one layer. The same source gives
// the same digest.
package images

import (
	"cmp"
	"fmt"
	"io/fs"
	"strings"
)

const (
	// Registry is where the published images live.
	Registry = "ghcr.io/wheelhouse-dev"
	// Version is the tag of all images, and the version of the charts.
	Version = "1.0.0"

	module = "github.com/wheelhouse-dev/wheelhouse"
)

// Image describes one image. Dirs belong to User:Group, the rest to root.
type Image struct {
	Name    string // last part of the reference
	Title   string // one line, for people
	Package string // Go package of the binary, relative to the module
	Binary  string // absolute path of the binary in the image

	Links []string          // absolute paths that are symbolic links to the binary
	Dirs  []Dir             // directories besides the parents of files and links
	Files map[string]string // small text files, by absolute path

	Programs map[string]string // further programs: absolute path → Go package
	Debian   []Package         // packages of Debian of which it has files

	User, Group int
	Entrypoint  []string
	Env         []string
	WorkingDir  string

	// Version is the tag, which the binary knows as its own; empty: that of the charts.
	Version string
}

// Dir is a directory of an image.
type Dir struct {
	Path string
	Mode fs.FileMode // permission bits, and fs.ModeSticky
}

// Tag is the image's version.
func (i Image) Tag() string { return cmp.Or(i.Version, Version) }

// Reference is the full name of the image, with its tag.
func (i Image) Reference() string { return Registry + "/" + i.Name + ":" + i.Tag() }

// Catalog is every image of the product. A new image is one more entry.
var Catalog = []Image{
	{
		Name:       "dynamo-operator",
		Title:      "Dynamo Kubernetes operator",
		Package:    "cmd/operator",
		Binary:     "/manager",
		Dirs:       []Dir{tmp},
		Files:      accounts("nonroot:x:65532:65532:nonroot:/:/sbin/nologin", "nonroot:x:65532:"),
		User:       65532,
		Group:      65532,
		Entrypoint: []string{"/manager"},
		WorkingDir: "/",
	},
	{
		Name:       "dynamo-conversion",
		Title:      "Conversion of Dynamo objects between the versions of their API",
		Package:    "cmd/conversion",
		Binary:     "/conversion",
		Dirs:       []Dir{tmp},
		Files:      accounts("nonroot:x:65532:65532:nonroot:/:/sbin/nologin", "nonroot:x:65532:"),
		User:       65532,
		Group:      65532,
		Entrypoint: []string{"/conversion"},
		WorkingDir: "/",
	},
	{
		Name:    "chrek-agent",
		Title:   "Checkpoint agent of a node",
		Package: "cmd/chrek-agent",
		Binary:  "/chrek-agent",
		// What waits in a pod for its checkpoint, and what takes and restores them.
		Programs: map[string]string{"/chrek-init": "cmd/chrek-init"},
		Debian:   criu,
		Dirs:     []Dir{tmp},
		Files:    accounts("nonroot:x:65532:65532:nonroot:/:/sbin/nologin", "nonroot:x:65532:"),
		// The chart runs it as root where it puts the seccomp profile on nodes.
		User:       65532,
		Group:      65532,
		Entrypoint: []string{"/chrek-agent"},
		WorkingDir: "/",
	},
	{
		Name:    "standin-runtime",
		Title:   "Stand-in for the Dynamo inference runtimes; its answers are made up",
		Package: "cmd/standin",
		Binary:  "/usr/local/bin/standin",
		Links: append(under("/bin", "sh", "bash", "cat", "echo", "env", "false", "hostname", "mkdir", "rm", "sleep", "touch", "true"),
			under("/usr/bin", "python", "python3", "env", "ray", "trtllm-llmapi-launch")...),
		Dirs: []Dir{
			tmp,
			{"/home/dynamo", 0o775},
			{"/workspace", 0o775},
			{"/opt/models", 0o775},
		},
		Files: accounts("dynamo:x:1000:0:dynamo:/home/dynamo:/bin/sh", "dynamo:x:1000:"),
		// The real runtimes run as this user too.
		User:       1000,
		Group:      0,
		Entrypoint: []string{"/usr/local/bin/standin"},
		Env:        []string{"HOME=/home/dynamo"},
		WorkingDir: "/workspace",
	},
}

var tmp = Dir{"/tmp", fs.ModeSticky | 0o777}

func under(dir string, names ...string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = dir + "/" + name
	}
	return paths
}

// accounts makes the files in which programs look up the image's user.
func accounts(passwd, group string) map[string]string {
	lines := func(l ...string) string { return strings.Join(l, "\n") + "\n" }
	return map[string]string{
		"/etc/passwd": lines("root:x:0:0:root:/root:/sbin/nologin", passwd),
		"/etc/group":  lines("root:x:0:", group),
	}
}

// ByName finds images of the catalog; no names means all of them.
func ByName(names []string) ([]Image, error) {
	if len(names) == 0 {
		return Catalog, nil
	}
	var found []Image
	for _, name := range names {
		image, err := find(name)
		if err != nil {
			return nil, err
		}
		found = append(found, image)
	}
	return found, nil
}

func find(name string) (Image, error) {
	var known []string
	for _, image := range Catalog {
		if image.Name == name {
			return image, nil
		}
		known = append(known, image.Name)
	}
	return Image{}, fmt.Errorf("there is no image %q; images: %s", name, strings.Join(known, ", "))
}
