package crdsafety

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// Objects lists the live objects of the kind in one version, page by page. A
// page may be kept; an error from the callback ends the listing.
type Objects func(ctx context.Context, version string, page func([]map[string]any) error) error

// Report is what a change of one definition does.
type Report struct {
	// Name is the definition's: PLURAL.GROUP.
	Name string `json:"name"`
	// Deleted says that the definition goes, and with it all of its objects.
	Deleted bool `json:"deleted,omitempty"`
	// Changes are the differences, worst first.
	Changes []Change `json:"changes,omitempty"`
	// Looked says that live objects were listed, Objects how many there are.
	Looked  bool `json:"looked"`
	Objects int  `json:"objects"`
	// Harms are what live objects would lose, by namespace and name.
	Harms []Harm `json:"harms,omitempty"`
	// Move is what has to be done to the objects first; nil if nothing.
	Move *Move `json:"move,omitempty"`
	// Unjudged says what becomes of objects and cannot be told beforehand.
	Unjudged []string `json:"unjudged,omitempty"`

	// unread says that objects could not be read in some version.
	unread bool
}

// Harm is what a change does to one field of one live object.
type Harm struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Field     string `json:"field"`
	// Says is the effect: "would be dropped", "would be invalid: ...".
	Says string `json:"says"`
}

func (h Harm) String() string {
	name := h.Name
	if h.Namespace != "" {
		name = h.Namespace + "/" + h.Name
	}
	return fmt.Sprintf("%s: %s %s", name, h.Field, h.Says)
}

// Worst is the worst class among the changes.
func (r *Report) Worst() Class {
	if r.Deleted {
		return Breaking
	}
	return worst(r.Changes)
}

// Impossible reports whether the API server would refuse the change.
func (r *Report) Impossible() bool { return r.Worst() == Forbidden }

// Harmful reports whether the change hurts what lives in the cluster now, or
// may do so without anybody being able to tell.
func (r *Report) Harmful() bool {
	return len(r.Harms) > 0 || len(r.Unjudged) > 0 || r.Objects > 0 && r.Worst().AtLeast(Breaking)
}

// Broken counts the objects that are harmed.
func (r *Report) Broken() int {
	names := map[[2]string]bool{}
	for _, h := range r.Harms {
		names[[2]string{h.Namespace, h.Name}] = true
	}
	return len(names)
}

// Review compares a definition as it lives in the cluster with the wanted one
// and holds the live objects against what narrows. Objects are only listed if
// something does. A nil wanted definition stands for its deletion.
func Review(ctx context.Context, old, wanted *Definition, objects Objects) (*Report, error) {
	r := &Report{Name: old.Name, Deleted: wanted == nil}
	if wanted == nil {
		return r, r.count(ctx, old, objects)
	}
	var err error
	if r.Changes, err = Compare(old, wanted); err != nil {
		return nil, fmt.Errorf("CRD %s: %w", old.Name, err)
	}
	trials, err := trialsOf(old, wanted, r.Changes)
	if err != nil {
		return nil, fmt.Errorf("CRD %s: %w", old.Name, err)
	}
	found := harms{}
	for _, t := range trials {
		n, err := t.run(ctx, objects, found)
		if err := r.looked(t.read, n, err); err != nil {
			return nil, err
		}
	}
	if converts(old) && !converts(wanted) && len(wanted.Spec.Versions) > 1 {
		if err := r.unconverted(ctx, old, wanted, objects, found); err != nil {
			return nil, fmt.Errorf("CRD %s: %w", old.Name, err)
		}
	}
	r.hidden(old, wanted)
	if !r.Looked && (len(r.Unjudged) > 0 || r.Worst().AtLeast(Breaking)) {
		if err := r.count(ctx, old, objects); err != nil {
			return nil, err
		}
	}
	if r.Objects == 0 && !r.unread {
		r.Unjudged = nil
	}
	r.Harms = found.list()
	return r, nil
}

// hidden notes versions that narrow and that objects may be stored in, although
// nobody can read them there.
func (r *Report) hidden(old, wanted *Definition) {
	for name := range narrowed(r.Changes) {
		before := version(old, name)
		if before != nil && !before.Served && version(wanted, name) != nil && slices.Contains(stored(old), name) {
			r.doubt("objects may be stored in version %s, which allows less and is not served: nobody can read what they lose", name)
		}
	}
}

func (r *Report) count(ctx context.Context, old *Definition, objects Objects) error {
	version := served(old)
	if version == "" {
		return nil
	}
	_, err := r.read(ctx, objects, version, func(map[string]any) {})
	return err
}

// trial reads all objects in one version and holds them against schemas.
type trial struct {
	read    string
	now     *judge
	against []*judge
	// dropped leaves out all but fields that are lost: what else an object lacks
	// may be there in the version in which it is stored.
	dropped bool
}

// trialsOf says which versions to read and what to hold them against: each
// narrowed version against itself, and where objects move to another storage
// version, the one against the other, or what the webhook makes of them.
func trialsOf(old, wanted *Definition, changes []Change) ([]trial, error) {
	narrowed := narrowed(changes)
	everything := old.Spec.PreserveUnknownFields && !wanted.Spec.PreserveUnknownFields
	var out []trial
	from, to := storage(old), storage(wanted)
	moves := from != nil && to != nil && from.Name != to.Name
	converted := converts(old) && converts(wanted)
	for _, before := range old.Spec.Versions {
		t := trial{read: before.Name}
		if !before.Served {
			continue
		}
		after := version(wanted, before.Name)
		if after != nil && (everything || narrowed[before.Name] || moves && converted && to.Name == before.Name) {
			if err := t.add(after.Name, wanted); err != nil {
				return nil, err
			}
		}
		if moves && from.Name == before.Name && narrowed[from.Name+" to "+to.Name] {
			if err := t.add(to.Name, wanted); err != nil {
				return nil, err
			}
		}
		if len(t.against) == 0 {
			continue
		}
		var err error
		if t.now, err = newJudge(&before); err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// narrowed names what narrows: versions, or moves from one to another.
func narrowed(changes []Change) map[string]bool {
	out := map[string]bool{}
	for _, c := range changes {
		if c.Class.AtLeast(Narrowing) {
			out[c.Version] = true
		}
	}
	return out
}

func (t *trial) add(name string, crd *Definition) error {
	j, err := newJudge(version(crd, name))
	t.against = append(t.against, j)
	return err
}

// run judges all objects, a page beside the next, and returns how many there
// are.
func (t *trial) run(ctx context.Context, objects Objects, found harms) (int, error) {
	var mutex sync.Mutex
	total := 0
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	err := objects(gctx, t.read, func(page []map[string]any) error {
		total += len(page)
		group.Go(func() error {
			for _, object := range page {
				if gctx.Err() != nil {
					return gctx.Err()
				}
				worse := t.worse(gctx, object)
				mutex.Lock()
				found.add(object, worse)
				mutex.Unlock()
			}
			return nil
		})
		return nil
	})
	return total, cmp.Or(group.Wait(), err)
}

// worse lists the faults that an object has under the new schemas and not
// under the present one.
func (t *trial) worse(ctx context.Context, object map[string]any) []fault {
	var out []fault
	for _, j := range t.against {
		out = append(out, j.faults(ctx, object)...)
	}
	if len(out) == 0 {
		return nil
	}
	already := t.now.faults(ctx, object)
	return slices.DeleteFunc(out, func(f fault) bool {
		return t.dropped && !f.dropped || slices.ContainsFunc(already, func(a fault) bool { return a == f || a.sameField(f) })
	})
}

// harms collects harms of several versions; one field is told once.
type harms map[Harm]bool

func (h harms) add(object map[string]any, faults []fault) {
	if len(faults) == 0 {
		return
	}
	name := nameOf(object)
	for _, f := range faults {
		h[Harm{Namespace: name[0], Name: name[1], Field: f.field, Says: f.says}] = true
	}
}

// nameOf is the namespace and the name of an object.
func nameOf(object map[string]any) [2]string {
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	return [2]string{namespace, name}
}

func (h harms) list() []Harm {
	return slices.SortedFunc(maps.Keys(h), func(a, b Harm) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Says, b.Says))
	})
}
