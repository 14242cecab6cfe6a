package release

import (
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
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

func served(s *session.Session, manifest string) (serving, error) {
	objects, err := chart.ParseManifest(manifest)
	if err != nil {
		return serving{}, err
	}
	var out serving
	for _, object := range objects {
		version, err := s.VersionOf(object.APIVersion, object.Kind)
		switch {
		case err != nil:
			return serving{}, err
		case version == "":
			out.vanished = append(out.vanished, object)
			continue
		case version != object.APIVersion:
			out.moved = true
			if object, err = object.In(version); err != nil {
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
