package ledger

import (
	"encoding/json"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

func TestTheNameOfARecordIsItsNumber(t *testing.T) {
	l := &Ledger{fleet: "shop"}
	for name, want := range map[string]int{
		"wheelhouse-shop-v7": 7, "wheelhouse-shop-v07": 0, "wheelhouse-shop-v0": 0, "wheelhouse-shop-v-1": 0, "wheelhouse-shop-b-v7": 0, "other": 0,
	} {
		if got, ok := l.numberOf(name); ok != (want > 0) || ok && got != want {
			t.Errorf("%s is %d, %v", name, got, ok)
		}
	}
}

func TestARecordThatIsNotItselfIsNotUsed(t *testing.T) {
	l := &Ledger{fleet: "shop"}
	good := rollout.Revision{Fleet: "shop", Number: 3, Status: rollout.RevisionDone}
	for _, test := range []struct {
		name   string
		change func(*rollout.Revision, *corev1.Secret)
		want   string
	}{
		{"good", func(*rollout.Revision, *corev1.Secret) {}, ""},
		{"another type", func(_ *rollout.Revision, s *corev1.Secret) { s.Type = corev1.SecretTypeOpaque }, "its type is Opaque"},
		{"another number", func(r *rollout.Revision, _ *corev1.Secret) { r.Number = 4 }, "it says that it is revision 4"},
		{"another fleet", func(r *rollout.Revision, _ *corev1.Secret) { r.Fleet = "b" }, `of fleet "b"`},
		{"a status that is none", func(r *rollout.Revision, _ *corev1.Secret) { r.Status = "fine" }, `its status "fine" is none`},
		{"no JSON", func(_ *rollout.Revision, s *corev1.Secret) { s.Data = map[string][]byte{"revision": []byte("{")} }, "it cannot be read"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, secret := good, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "wheelhouse-shop-v3"}, Type: journalType}
			test.change(&r, secret)
			if secret.Data == nil {
				data, err := json.Marshal(r)
				if err != nil {
					t.Fatal(err)
				}
				secret.Data = map[string][]byte{"revision": data}
			}
			switch _, err := l.decode(secret, 3); {
			case test.want == "" && err != nil:
				t.Error(err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("got %v", err)
			}
		})
	}
}

// Once there is a revision of its own, what appears in the former place was put
// there by somebody else.
func TestAJournalIsTakenOverOnce(t *testing.T) {
	l := &Ledger{namespace: "new", former: "old"}
	imported, own := rollout.Revision{Imported: true}, rollout.Revision{}
	for _, test := range []struct {
		name      string
		revisions []rollout.Revision
		want      bool
	}{
		{"nothing there", nil, true},
		{"what was taken over", []rollout.Revision{imported}, true},
		{"one of its own", []rollout.Revision{imported, own}, false},
	} {
		if got := l.movable(test.revisions); got != test.want {
			t.Errorf("%s: got %v", test.name, got)
		}
	}
	if (&Ledger{namespace: "new", former: "new"}).movable(nil) {
		t.Error("a journal is moved to where it is")
	}
}
