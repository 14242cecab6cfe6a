package chart

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"sort"
	"strings"

	release "helm.sh/helm/v4/pkg/release/v1"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// document is what stands between two separators of a file.
type document struct {
	file, content string
	head          head
	objects       []Object
}

// arrange makes of rendered files what Helm makes of them: a manifest, in the
// order in which it installs objects, and hooks apart from it. Helm's own
// function for this parses every document as a whole, twice.
func arrange(files map[string]string) (*Rendered, error) {
	out := &Rendered{hooks: map[string][]string{}}
	var documents []document
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if strings.HasPrefix(path.Base(file), "_") {
			continue
		}
		for _, content := range split(files[file]) {
			d, err := readDocument(file, content)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			if events, isHook := d.head.Metadata.Annotations[release.HookAnnotation]; !isHook {
				documents = append(documents, d)
			} else if known(events) {
				out.Hooks = append(out.Hooks, d.objects...)
				out.hooks[file] = append(out.hooks[file], content)
			}
		}
	}
	slices.SortStableFunc(documents, func(a, b document) int {
		x, y := installRank(a.head.Kind), installRank(b.head.Kind)
		if x == len(releaseutil.InstallOrder) && y == x {
			return strings.Compare(a.head.Kind, b.head.Kind)
		}
		return x - y
	})
	var text strings.Builder
	for _, d := range documents {
		writeObject(&text, d.file, d.content)
		out.Objects = append(out.Objects, d.objects...)
	}
	out.Manifest = text.String()
	return out, nil
}

// readDocument adds the line break that Helm puts behind each document: it is
// part of what is applied.
func readDocument(file, content string) (document, error) {
	converted := newConversion(content + "\n")
	h, err := parseHead(converted)
	if err != nil {
		return document{}, err
	}
	objects, err := objectsOf(h, converted)
	for i := range objects {
		objects[i].Template = file
	}
	return document{file: file, content: converted.content, head: h, objects: objects}, err
}

// known reports whether Helm runs a hook: it skips one of which it does not
// know every event.
func known(events string) bool {
	for event := range strings.SplitSeq(events, ",") {
		if !slices.Contains(hookEvents, strings.ToLower(strings.TrimSpace(event))) {
			return false
		}
	}
	return true
}

var hookEvents = []string{
	string(release.HookPreInstall), string(release.HookPostInstall), string(release.HookPreDelete), string(release.HookPostDelete),
	string(release.HookPreUpgrade), string(release.HookPostUpgrade), string(release.HookPreRollback), string(release.HookPostRollback),
	string(release.HookTest), "test-success",
}

// HookFiles are the hooks as Helm would have rendered them, by template.
func (r *Rendered) HookFiles() map[string]string {
	out := make(map[string]string, len(r.hooks))
	for file, documents := range r.hooks {
		out[file] = strings.Join(documents, "---\n")
	}
	return out
}

// ParseManifest splits a stored manifest into its objects.
func ParseManifest(manifest string) (out []Object, err error) {
	for _, content := range split(manifest) {
		converted := newConversion(content)
		h, err := parseHead(converted)
		if err != nil {
			return nil, err
		}
		objects, err := objectsOf(h, converted)
		if err != nil {
			return nil, err
		}
		out = append(out, objects...)
	}
	return out, nil
}

// split cuts a text into its documents, as Helm does.
func split(text string) (out []string) {
	parts := releaseutil.SplitManifests(text)
	keys := slices.Collect(maps.Keys(parts))
	sort.Sort(releaseutil.BySplitManifestsOrder(keys))
	for _, key := range keys {
		out = append(out, parts[key])
	}
	return out
}

// installRank is the place of a kind in Helm's order; kinds that Helm does not
// know come last.
func installRank(kind string) int {
	if i := slices.Index(releaseutil.InstallOrder, kind); i >= 0 {
		return i
	}
	return len(releaseutil.InstallOrder)
}

// writeObject writes a document as Helm does into a manifest.
func writeObject(text *strings.Builder, template, content string) {
	fmt.Fprintf(text, "---\n# Source: %s\n%s", template, content)
}
