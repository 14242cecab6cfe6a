package apply

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/plain"
)

// longestNote bounds what an event tells, in characters; the API takes 1024 bytes.
const longestNote = 256

// Tell writes an event of the type corev1.EventTypeNormal or corev1.EventTypeWarning.
// What cannot be printed of the note is escaped, and a long one is cut. It is in the
// words of the version that the object's author wrote.
func (a *Applier) Tell(object client.Object, eventtype, reason, action, note string) {
	note = conversion.ForAuthor(note, object, string(FieldManager))
	a.Events.Eventf(object, nil, eventtype, reason, action, "%s", plain.Text(note, longestNote))
}
