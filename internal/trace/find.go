package trace

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// shortKinds are kubectl's short names of the kinds that charts render.
var shortKinds = map[string]string{
	"cm": "configmap", "crd": "customresourcedefinition", "deploy": "deployment", "ds": "daemonset", "ing": "ingress",
	"netpol": "networkpolicy", "ns": "namespace", "pdb": "poddisruptionbudget", "po": "pod", "pvc": "persistentvolumeclaim",
	"sa": "serviceaccount", "sts": "statefulset", "svc": "service", "pmon": "podmonitor",
}

// Find picks the object that a person means by KIND/NAME among what releases
// render. Kinds may be written as for kubectl.
func Find(subjects []Subject, reference string) (Subject, chart.Object, error) {
	kind, name, ok := strings.Cut(reference, "/")
	if !ok || kind == "" || name == "" {
		return Subject{}, chart.Object{}, fmt.Errorf("%q is not KIND/NAME, as in deployment/web", reference)
	}
	type match struct {
		subject Subject
		object  chart.Object
	}
	var found []match
	var names []string
	for _, s := range subjects {
		for _, o := range s.Rendered.Objects {
			if !isKind(o, kind) {
				continue
			}
			names = append(names, o.Name)
			if o.Name == name {
				found = append(found, match{s, o})
			}
		}
	}
	switch {
	case len(found) == 1:
		return found[0].subject, found[0].object, nil
	case len(found) > 1:
		var where []string
		for _, m := range found {
			where = append(where, m.subject.String())
		}
		return Subject{}, chart.Object{}, fmt.Errorf("%s is rendered by several releases: %s; choose one with -n", reference, strings.Join(where, ", "))
	default:
		return Subject{}, chart.Object{}, fmt.Errorf("no release renders %s%s", reference, instead(subjects, names, name))
	}
}

// instead says what there is, where what was asked for is not.
func instead(subjects []Subject, names []string, name string) string {
	if meant := spelling.Closest(name, names); meant != "" {
		return fmt.Sprintf("; did you mean %s?", meant)
	}
	what := "; of this kind there are: "
	if len(names) == 0 {
		what = "; the kinds there are: "
		for _, s := range subjects {
			for _, o := range s.Rendered.Objects {
				names = append(names, strings.ToLower(o.Kind))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return ""
	}
	if len(names) > 12 {
		names = append(names[:12], "…")
	}
	return what + strings.Join(names, ", ")
}

// isKind compares as kubectl does: any case, one or many, with or without group.
func isKind(o chart.Object, asked string) bool {
	asked = strings.ToLower(asked)
	if long, ok := shortKinds[asked]; ok {
		asked = long
	}
	kind := strings.ToLower(o.Kind)
	for _, form := range []string{kind, kind + "s", kind + "es", strings.TrimSuffix(kind, "y") + "ies"} {
		if asked == form || asked == form+"."+o.Group() {
			return true
		}
	}
	return false
}
