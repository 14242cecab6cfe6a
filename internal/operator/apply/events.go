package apply

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// longestNote bounds what an event tells, in characters; the API takes 1024 bytes.
const longestNote = 256

// Tell writes an event of the type corev1.EventTypeNormal or corev1.EventTypeWarning.
// What cannot be printed of the note is escaped, and a long one is cut.
func (a *Applier) Tell(object runtime.Object, eventtype, reason, action, note string) {
	a.Events.Eventf(object, nil, eventtype, reason, action, "%s", plain.Text(note, longestNote))
}
