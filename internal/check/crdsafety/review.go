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

// Harmful reports whether the change hurts what lives in the cluster now.
func (r *Report) Harmful() bool {
	return len(r.Harms) > 0 || r.Objects > 0 && r.Worst().AtLeast(Breaking)
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
	if len(trials) == 0 && r.Worst().AtLeast(Breaking) {
		return r, r.count(ctx, old, objects)
	}
	found := harms{}
	for _, t := range trials {
		n, err := t.run(ctx, objects, found)
		if err != nil {
			return nil, err
		}
		r.Looked, r.Objects = true, max(r.Objects, n)
	}
	r.Harms = found.list()
	return r, nil
}

func (r *Report) count(ctx context.Context, old *Definition, objects Objects) error {
	version := served(old)
	if version == "" {
		return nil
	}
	r.Looked = true
	return objects(ctx, version, func(page []map[string]any) error {
		r.Objects += len(page)
		return nil
	})
}

// trial reads all objects in one version and holds them against schemas.
type trial struct {
	read    string
	now     *judge
	against []*judge
}

// trialsOf says which versions to read and what to hold them against: each
// narrowed version against itself, and where objects move to another storage
// version without a webhook, the one against the other.
func trialsOf(old, wanted *Definition, changes []Change) ([]trial, error) {
	narrowed := map[string]bool{}
	everything := false
	for _, c := range changes {
		if c.Class.AtLeast(Narrowing) {
			narrowed[c.Version] = true
			everything = everything || c.Version == "" && c.Class == Narrowing
		}
	}
	var out []trial
	from, to := storage(old), storage(wanted)
	for _, before := range old.Spec.Versions {
		t := trial{read: before.Name}
		if !before.Served {
			continue
		}
		after := version(wanted, before.Name)
		if after != nil && (everything || narrowed[before.Name]) {
			if err := t.add(after.Name, wanted); err != nil {
				return nil, err
			}
		}
		if from != nil && to != nil && from.Name == before.Name && narrowed[from.Name+" to "+to.Name] {
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
		return slices.ContainsFunc(already, func(a fault) bool { return a == f || a.sameField(f) })
	})
}

// harms collects harms of several versions; one field is told once.
type harms map[Harm]bool

func (h harms) add(object map[string]any, faults []fault) {
	if len(faults) == 0 {
		return
	}
	metadata, _ := object["metadata"].(map[string]any)
	namespace, _ := metadata["namespace"].(string)
	name, _ := metadata["name"].(string)
	for _, f := range faults {
		h[Harm{Namespace: namespace, Name: name, Field: f.field, Says: f.says}] = true
	}
}

func (h harms) list() []Harm {
	return slices.SortedFunc(maps.Keys(h), func(a, b Harm) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Says, b.Says))
	})
}
