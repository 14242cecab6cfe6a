package release

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/release"
	helmrelease "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// records are Helm's Secrets of releases, which Helm reads. They are written
// here: Helm compresses at the highest level, twice per release, which is a
// seventh of the processor time of an apply.
type records struct {
	*driver.Secrets
	secrets typedcorev1.SecretInterface
	// planned is what is recorded where Helm works on a placeholder.
	planned *chart.Rendered
	// version says how what a rollback returns to can be written today.
	version versionOf
	// fresh is set where there are none: in a namespace that is new.
	fresh bool
	// failed is why a revision could not be written. Helm goes on after that, and
	// would call its revision deployed beside another one.
	failed error
	// key is whose records these are, manifests what we wrote of them.
	key       fleet.Key
	manifests *rollout.Manifests
	// writtenOnly refuses what we did not write: Helm is about to do more with
	// it than to delete the objects that it names.
	writtenOnly bool
}

// Query finds the revisions of a release.
func (r *records) Query(labels map[string]string) ([]release.Releaser, error) {
	if r.fresh {
		return nil, driver.ErrReleaseNotFound
	}
	found, err := r.Secrets.Query(labels)
	if err != nil {
		return nil, err
	}
	return found, r.judge(found)
}

// Get reads one revision.
func (r *records) Get(key string) (release.Releaser, error) {
	found, err := r.Secrets.Get(key)
	if err != nil {
		return nil, err
	}
	rel, err := asRelease(found, nil)
	if err != nil {
		return nil, err
	}
	if _, err := r.verdict(rel); err != nil {
		return nil, err
	}
	if recordName(r.key, rel.Version) != key {
		return nil, r.notItself(rel)
	}
	return found, nil
}

// Create stores a new revision.
func (r *records) Create(key string, rel release.Releaser) error {
	ours, err := asRelease(rel, nil)
	if err != nil {
		return err
	}
	if r.planned != nil {
		ours.Chart, ours.Manifest, ours.Info.Notes = r.planned.Source(), r.planned.Manifest, r.planned.Notes
	}
	if ours.Info.RollbackRevision > 0 {
		if ours.Manifest, err = writable(ours.Manifest, r.version); err != nil {
			return fmt.Errorf("record release %s: %w", ours.Name, err)
		}
	}
	keepLabelsTrue(ours)
	r.manifests.Wrote(r.key, ours.Version, digestOf(ours))
	secret, err := secretOf(key, ours, "createdAt")
	if err != nil {
		return fmt.Errorf("record release %s: %w", ours.Name, err)
	}
	_, err = r.secrets.Create(context.Background(), secret, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return driver.ErrReleaseExists
	}
	return err
}

// Update stores what has become of a revision, unless an earlier one of the same
// operation could not be stored.
func (r *records) Update(key string, rel release.Releaser) error {
	if r.failed == nil {
		r.failed = r.update(key, rel)
	}
	return r.failed
}

func (r *records) update(key string, rel release.Releaser) error {
	ours, err := asRelease(rel, nil)
	if err != nil {
		return err
	}
	secret, err := secretOf(key, ours, "modifiedAt")
	if err != nil {
		return fmt.Errorf("record release %s: %w", ours.Name, err)
	}
	_, err = r.secrets.Update(context.Background(), secret, metav1.UpdateOptions{})
	return err
}

// keepLabelsTrue: Helm copies the labels of the revision that a rollback
// returns to, its number included.
func keepLabelsTrue(rel *helmrelease.Release) {
	if rel.Info.RollbackRevision > 0 && rel.Labels[marks.RecordRevision] == strconv.Itoa(rel.Info.RollbackRevision) {
		rel.Labels = maps.Clone(rel.Labels)
		rel.Labels[marks.RecordRevision] = strconv.Itoa(rel.Version)
	}
}

// secretOf is the Secret as Helm writes and finds it.
func secretOf(key string, rel *helmrelease.Release, when string) (*corev1.Secret, error) {
	data, err := encode(rel)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{when: strconv.FormatInt(time.Now().Unix(), 10)}
	maps.Copy(labels, rel.Labels)
	maps.Copy(labels, map[string]string{
		"name": rel.Name, "owner": "helm", "status": rel.Info.Status.String(), "version": strconv.Itoa(rel.Version),
	})
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: key, Labels: labels},
		Type:       "helm.sh/release.v1",
		Data:       map[string][]byte{"release": data},
	}, nil
}

// encode gives JSON, compressed, in base64. The chart comes first, in a gzip
// member of its own: it is most of a record and tenants share it, so that it is
// compressed once.
func encode(rel *helmrelease.Release) ([]byte, error) {
	rest := *rel
	rest.Chart = nil
	text, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	head, err := encodeChart(rel.Chart)
	if err != nil {
		return nil, err
	}
	tail, err := compress(append([]byte{','}, text[1:]...))
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.AppendEncode(nil, slices.Concat(head, tail)), nil
}

var encodedCharts sync.Map // digest of the JSON, to func() ([]byte, error)

// encodeChart begins a record.
func encodeChart(c *helmchart.Chart) ([]byte, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	pack := sync.OnceValues(func() ([]byte, error) { return compressWell(append([]byte(`{"chart":`), text...)) })
	shared, _ := encodedCharts.LoadOrStore(sha256.Sum256(text), pack)
	return shared.(func() ([]byte, error))()
}

// largeText is from where on size counts more than time: a Secret holds 1 MiB.
const largeText = 256 << 10

// compressors keep their tables, of a megabyte each, between records.
var compressors = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

func compress(text []byte) ([]byte, error) {
	if len(text) > largeText {
		return compressWell(text)
	}
	w, ok := compressors.Get().(*gzip.Writer)
	if !ok {
		return nil, errors.New("no compressor")
	}
	defer compressors.Put(w)
	return compressWith(w, text)
}

func compressWell(text []byte) ([]byte, error) {
	w, err := gzip.NewWriterLevel(nil, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	return compressWith(w, text)
}

func compressWith(w *gzip.Writer, text []byte) ([]byte, error) {
	var out bytes.Buffer
	w.Reset(&out)
	if _, err := w.Write(text); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
