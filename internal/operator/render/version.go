package render

import (
	"cmp"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Version is that of the rules by which graphs become objects. What runs keeps
// the version that it was rendered by until its author changes the graph, so
// that a newer operator restarts nothing. Every rule that changes a pod template
// asks for the version; testdata/versions has what each gives.
type Version int

const (
	// First is the version of objects that do not say theirs.
	First Version = 1
	// Generations is the version from which several workers that serve requests
	// together have generations, and frontends serve on for a moment when they are
	// to end.
	Generations Version = 2
	// Commands is the version from which frontends do that by a command: the hook that
	// needs none is on since Kubernetes 1.30.
	Commands Version = 3
	// Current is that of what is new.
	Current = Commands
)

// versionAnnotation is on components whose version is not the first.
const versionAnnotation = "wheelhouse.dev/rendering"

func (v Version) annotation() map[string]string {
	if v == First {
		return nil
	}
	return map[string]string{versionAnnotation: strconv.Itoa(int(v))}
}

// VersionOf is that by which a component was rendered. One that this operator
// does not know, since a newer one has written it, is the newest that it knows.
func VersionOf(component metav1.Object) Version {
	n, err := strconv.Atoi(cmp.Or(component.GetAnnotations()[versionAnnotation], strconv.Itoa(int(First))))
	if err != nil || n < int(First) {
		return First
	}
	return min(Version(n), Current)
}
