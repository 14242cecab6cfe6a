package main

import (
	"fmt"
	"strings"
)

// keys lead to an image's values, by the chart that runs it.
var keys = []struct{ chart, image, path string }{
	{"platform", "dynamo-operator", "dynamo-operator.controllerManager.manager.image"},
	{"conversion", "dynamo-conversion", "image"},
	{"chrek", "chrek-agent", "daemonset.image"},
}

// fleetLines are the lines by which a fleet runs what was pushed, and nothing else
// that may come under the same tag.
func fleetLines(to string, all []pushed) string {
	digests := map[string]string{}
	for _, each := range all {
		if each.key == "" { // a chart may have the name of its image
			digests[each.name] = each.digest
		}
	}
	var text strings.Builder
	text.WriteString("spec:\n  values:\n")
	for _, key := range keys {
		path := strings.Split(key.path, ".")
		fmt.Fprintf(&text, "    - %s: {%s: {repository: %s/%s, digest: %q}%s\n", key.chart, strings.Join(path, ": {"), to, key.image, digests[key.image], strings.Repeat("}", len(path)))
	}
	text.WriteString("  charts:\n")
	for _, each := range all {
		if each.key != "" {
			fmt.Fprintf(&text, "    %s: %s\n", each.key, each.reference)
		}
	}
	return text.String()
}
