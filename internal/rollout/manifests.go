package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"sync"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// ManifestDigest identifies what a Helm revision holds: its manifest and its
// hooks, each as text.
func ManifestDigest(manifest string, hooks ...string) string {
	hash := sha256.New()
	for _, part := range append([]string{manifest}, hooks...) {
		fmt.Fprintf(hash, "%d\n%s", len(part), part)
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// ManifestAt is what we wrote, or set out to write, as one Helm revision.
type ManifestAt struct {
	fleet.Key
	Revision int    `json:"revision"`
	Digest   string `json:"digest"`
}

// Verdict says what a Helm revision is worth, by the journal.
type Verdict int

// A release's record lies where tenants write. What we did not write counts for
// little, what differs from what we wrote for nothing.
const (
	Unwritten Verdict = iota
	Written
	Altered
)

// Manifests is what the journal knows of Helm revisions, and what this run has
// written since. It is safe for concurrent use.
type Manifests struct {
	mutex sync.Mutex
	// written and meant are digests; meant is all that is known of a run that
	// could not say how it ended.
	written, meant, own map[revisionOf]string
	// seen is what we did not write as it was when this run first read it: what
	// a person was shown is what is done.
	seen     map[revisionOf]string
	releases map[fleet.Key]bool
	outlines map[revisionOf]Outline
}

type revisionOf struct {
	fleet.Key
	number int
}

// Learn takes in what the journal says, in the place of what it said before.
// Imported revisions prove nothing.
func (m *Manifests) Learn(revisions []Revision) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.written, m.meant, m.releases, m.outlines = map[revisionOf]string{}, map[revisionOf]string{}, map[fleet.Key]bool{}, map[revisionOf]Outline{}
	for _, r := range revisions {
		if r.Imported || r.Damage != "" {
			continue
		}
		for _, intent := range r.Meant {
			// Nobody sets out to write a revision that is there: one of that number
			// was of a release that is gone.
			at := revisionOf{intent.Key, intent.Revision}
			m.meant[at] = intent.Digest
			delete(m.written, at)
			delete(m.outlines, at)
		}
		for _, release := range r.Releases {
			m.releases[release.Key] = true
			if release.Outline != "" {
				m.outlines[revisionOf{release.Key, release.Revision}] = Outline{Digest: release.Outline, Resources: r.Resources}
			}
			switch {
			case release.Action == ActionUninstall && release.Status == HelmUninstalled:
				m.forget(release.Key)
			case release.Manifest != "":
				m.written[revisionOf{release.Key, release.Revision}] = release.Manifest
			}
		}
		for _, key := range r.Orphans {
			m.releases[key] = true
		}
	}
}

// forget takes out what was written of a release that is gone: if there is one
// of its name again, its revisions are others.
func (m *Manifests) forget(key fleet.Key) {
	of := func(at revisionOf, _ string) bool { return at.Key == key }
	maps.DeleteFunc(m.written, of)
	maps.DeleteFunc(m.meant, of)
	maps.DeleteFunc(m.outlines, func(at revisionOf, _ Outline) bool { return at.Key == key })
}

// Outline is what the journal remembers of how a Helm revision was rendered.
func (m *Manifests) Outline(key fleet.Key, revision int) Outline {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.outlines[revisionOf{key, revision}]
}

// Wrote notes a revision that this run has written.
func (m *Manifests) Wrote(key fleet.Key, revision int, digest string) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.own == nil {
		m.own = map[revisionOf]string{}
	}
	m.own[revisionOf{key, revision}] = digest
}

// Digest is what we wrote as a Helm revision; empty if that is not known.
func (m *Manifests) Digest(key fleet.Key, revision int) string {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	at := revisionOf{key, revision}
	if digest := m.own[at]; digest != "" {
		return digest
	}
	return m.written[at]
}

// Judge compares a Helm revision as it is with what we wrote.
func (m *Manifests) Judge(key fleet.Key, revision int, digest string) Verdict {
	known := m.Digest(key, revision)
	m.mutex.Lock()
	defer m.mutex.Unlock()
	switch {
	case known == digest, known == "" && m.meant[revisionOf{key, revision}] == digest:
		return Written
	case known != "":
		return Altered
	}
	at := revisionOf{key, revision}
	if first, before := m.seen[at]; before && first != digest {
		return Altered
	}
	if m.seen == nil {
		m.seen = map[revisionOf]string{}
	}
	m.seen[at] = digest
	return Unwritten
}

// Knows reports whether the fleet has ever had a release.
func (m *Manifests) Knows(key fleet.Key) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	return m.releases[key]
}

// AlteredError says that a record is not what we wrote, so that nothing is
// restored or deleted by it.
type AlteredError struct {
	fleet.Key
	Revision int
}

func (e *AlteredError) Error() string {
	return fmt.Sprintf("the record of release %s, revision %d, is not what wheelhouse wrote: somebody has changed it, or has installed the release anew; "+
		"to forget it: kubectl -n %s delete secret %s; then run `wheelhouse apply`", e.Key, e.Revision, e.Namespace, e.Secret())
}

// Secret is the name of the record.
func (e *AlteredError) Secret() string { return recordSecret(e.Key, e.Revision) }

func recordSecret(key fleet.Key, revision int) string {
	return fmt.Sprintf("sh.helm.release.v1.%s.v%d", key.Name, revision)
}

// Reach bounds what a record that we did not write may delete and restore: what
// lies where the release lives and, of the objects of the cluster, only kinds
// that its chart renders. The zero value bounds nothing.
type Reach struct {
	// Namespaces that the release lives in and serves; nil: all.
	Namespaces []string
	kinds      map[string]bool
}

// ReachOf is the reach of a release of a set. One that the set does not name
// reaches its own namespace.
func ReachOf(set *fleet.Set, key fleet.Key) Reach {
	reach := Reach{Namespaces: []string{key.Namespace}, kinds: map[string]bool{}}
	if set == nil {
		return reach
	}
	for _, rel := range set.Releases {
		if rel.Key == key && (rel.Chart == fleet.ChartCRDs || rel.Scope == fleet.ScopeCluster) {
			return Reach{}
		}
	}
	return reach
}

// With adds the kinds that a chart renders.
func (r Reach) With(objects []chart.Object) Reach {
	for _, o := range objects {
		if r.kinds != nil {
			r.kinds[o.Group()+"/"+o.Kind] = true
		}
	}
	return r
}

// Beyond says why an object is out of reach; empty if it is not. The namespace
// is empty for an object of the cluster.
func (r Reach) Beyond(group, kind, namespace string) string {
	if r.Namespaces == nil {
		return ""
	}
	for _, name := range r.Namespaces {
		if name == namespace {
			return ""
		}
	}
	switch {
	case namespace != "":
		return "the release does not live in namespace " + namespace + ", and wheelhouse did not write the record that names the object"
	case !r.kinds[group+"/"+kind]:
		return "its chart makes no " + kind + ", and wheelhouse did not write the record that names the object"
	default:
		return ""
	}
}
