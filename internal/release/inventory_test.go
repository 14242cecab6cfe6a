package release

import (
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func secretWith(labels ...string) *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Namespace: "a", Labels: map[string]string{
		"name": "p", "version": "4", "status": "deployed", marks.RecordFleet: "shop", marks.RecordRevision: "4",
		marks.RecordChart: "c-1.0.0", marks.RecordCharts: "c1", marks.RecordValues: "v1",
	}}}
	for _, label := range labels {
		key, value, _ := strings.Cut(label, "=")
		m.Labels[key] = value
	}
	return m
}

// Helm copies labels from one revision to the next: what is about another
// revision is hearsay.
func TestLabelsOfAnotherRevisionAreHearsay(t *testing.T) {
	ours := recordOfSecret(secretWith())
	if ours.Chart != "c-1.0.0" || ours.Digest != (rollout.Digest{Chart: "c1", Values: "v1"}) || ours.Fleet != "shop" || !ours.Ours || ours.Revision != 4 {
		t.Errorf("ours is read as %+v", ours)
	}
	copied := recordOfSecret(secretWith("version=5"))
	if copied.Chart != "" || copied.Digest != (rollout.Digest{}) || !copied.Ours || copied.Revision != 5 {
		t.Errorf("another program's is read as %+v", copied)
	}
}

func TestTwoRevisionsThatSayTheyAreDeployed(t *testing.T) {
	key := fleet.Key{Namespace: "a", Name: "p"}
	out := map[fleet.Key]rollout.Record{key: {Key: key, Revision: 5}}
	addRivals(out, map[fleet.Key][]int{key: {5, 3}})
	if out[key].Rival != 3 {
		t.Errorf("got %+v", out[key])
	}
	addRivals(out, map[fleet.Key][]int{{Name: "q"}: {1}})
	if len(out) != 1 {
		t.Errorf("got %+v", out)
	}
}
