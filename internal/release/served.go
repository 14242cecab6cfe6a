package release

import (
	"strings"

	helmrelease "helm.sh/helm/v4/pkg/release/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// A cluster stops serving versions and kinds: Kubernetes is upgraded, CRDs are
// removed. Helm can then never again build what a record of before names, so that
// it neither upgrades nor rolls back nor uninstalls the release. Records are
// therefore read as the cluster serves them today.

// serving is a manifest as the cluster serves it.
type serving struct {
	// objects are those whose kind is served, in a version that is.
	objects []chart.Object
	// vanished are those whose kind is not.
	vanished []chart.Object
	// moved says that the version of some of the objects has gone.
	moved bool
}

// versionOf is the API version by which a cluster serves a kind today; empty for none.
type versionOf func(apiVersion, kind string) (string, error)

// served reads a manifest as it is served. A hook runs as it is written or not at all.
func served(manifest string, version versionOf) (serving, error) {
	objects, err := chart.ParseManifest(manifest)
	if err != nil {
		return serving{}, err
	}
	var out serving
	for _, object := range objects {
		today, err := version(object.APIVersion, object.Kind)
		hook := object.Annotations[helmrelease.HookAnnotation] != ""
		switch {
		case err != nil:
			return serving{}, err
		case hook:
		case today == "":
			out.vanished = append(out.vanished, object)
			continue
		case today != object.APIVersion:
			out.moved = true
			if object, err = object.In(today); err != nil {
				return serving{}, err
			}
		}
		out.objects = append(out.objects, object)
	}
	return out, nil
}

// rewrite is the manifest as it can be written today: as it was, if all of it is
// served, and without what is not.
func (s serving) rewrite(manifest string) string {
	if !s.moved && len(s.vanished) == 0 {
		return manifest
	}
	return joined(s.objects)
}

// writable is a manifest of a record as it can be written today.
func writable(manifest string, version versionOf) (string, error) {
	recorded, err := served(manifest, version)
	return recorded.rewrite(manifest), err
}

func joined(objects []chart.Object) string {
	var text strings.Builder
	for _, object := range objects {
		text.WriteString("---\n" + object.Content)
		if !strings.HasSuffix(object.Content, "\n") {
			text.WriteByte('\n')
		}
	}
	return text.String()
}
