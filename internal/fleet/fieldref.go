package fleet

import (
	"fmt"
	"regexp"
	"strings"
)

// FieldRef names a field of one object or, with * as namespace or name, of
// several: Deployment/team-a/web:.spec.replicas, ClusterRole/x:.rules.
type FieldRef struct {
	Kind string
	// Namespace is empty for objects of the cluster.
	Namespace string
	Name      string
	// Path is the field and all below it, as the API server writes paths.
	Path string
}

var fieldRef = regexp.MustCompile(`^([A-Z][A-Za-z0-9]*)/(?:([a-z0-9*-]+)/)?([A-Za-z0-9.:*-]+?):([.].+)$`)

// fieldRefForm says how a FieldRef is written, for messages.
const fieldRefForm = "KIND/NAMESPACE/NAME:PATH, such as Deployment/team-a/web:.spec.replicas (* is any namespace or name)"

// ParseFieldRef reads a reference to a field.
func ParseFieldRef(text string) (FieldRef, error) {
	m := fieldRef.FindStringSubmatch(text)
	if m == nil {
		return FieldRef{}, fmt.Errorf("%q is not %s", text, fieldRefForm)
	}
	return FieldRef{Kind: m[1], Namespace: m[2], Name: m[3], Path: m[4]}, nil
}

func (r FieldRef) String() string {
	if r.Namespace == "" {
		return r.Kind + "/" + r.Name + ":" + r.Path
	}
	return r.Kind + "/" + r.Namespace + "/" + r.Name + ":" + r.Path
}

// MarshalText writes the reference as String does.
func (r FieldRef) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads what MarshalText writes.
func (r *FieldRef) UnmarshalText(text []byte) (err error) {
	*r, err = ParseFieldRef(string(text))
	return err
}

// Selects reports whether the reference is about an object.
func (r FieldRef) Selects(kind, namespace, name string) bool {
	return r.Kind == kind && (r.Namespace == namespace || r.Namespace == "*" && namespace != "") && (r.Name == name || r.Name == "*")
}

// Covers reports whether a path is the reference's field or below it.
func (r FieldRef) Covers(path string) bool {
	rest, below := strings.CutPrefix(path, r.Path)
	return below && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
