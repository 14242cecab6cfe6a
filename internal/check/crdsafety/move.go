package crdsafety

import (
	"context"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/runtime"
)

// Move is what makes the end of a version possible: objects that may be stored in
// it are written once more, so that they are stored in one that stays.
type Move struct {
	// From are the versions that end, To is the one in which objects are stored.
	From []string `json:"from"`
	To   string   `json:"to"`
	// Begins says that the definition in the cluster does not store To yet.
	Begins bool `json:"begins,omitempty"`
	// Objects is how many there are to write.
	Objects int `json:"objects"`

	// to is To as the wanted definition has it.
	to map[string]any
}

// MoveOf says how the objects of a definition get out of the versions that the
// wanted one ends. It is nil if none may be stored in such a version, and if the
// API server cannot be made to rewrite them: nobody can read them, or a webhook
// that has never heard of a version would have to convert to it.
func MoveOf(old, wanted *Definition) (*Move, error) {
	var from []string
	for _, name := range old.Status.StoredVersions {
		if version(wanted, name) == nil {
			from = append(from, name)
		}
	}
	to := storage(wanted)
	if len(from) == 0 || to == nil || served(old) == "" {
		return nil, nil
	}
	known := version(old, to.Name)
	if known == nil && converts(old) {
		return nil, nil
	}
	m := &Move{From: from, To: to.Name, Begins: known == nil || !known.Storage}
	var err error
	m.to, err = runtime.DefaultUnstructuredConverter.ToUnstructured(to)
	return m, err
}

// After is the definition as it is once the move is done.
func (m *Move) After(old *Definition) *Definition {
	out := old.DeepCopy()
	out.Status.StoredVersions = []string{m.To}
	return out
}

// Versions are those of a definition in the cluster, of which the API server then
// stores To, as the wanted definition has it. All others go on as they are.
func (m *Move) Versions(live []any) []any {
	var out []any
	found := false
	for _, v := range live {
		entry, _ := v.(map[string]any)
		entry = maps.Clone(entry)
		if entry["storage"] = false; entry["name"] == m.To {
			entry, found = maps.Clone(m.to), true
		}
		out = append(out, entry)
	}
	if !found {
		out = append(out, maps.Clone(m.to))
	}
	return out
}

// Stores reports whether a definition stores objects in To.
func (m *Move) Stores(live *Definition) bool {
	v := storage(live)
	return v != nil && v.Name == m.To
}

// Through is the version in which the objects of a definition are read and written.
func (m *Move) Through(live *Definition) string { return served(live) }

// ReviewMoved is Review for a definition whose objects are moved first, if that
// makes the change possible. The report says how many there are.
func ReviewMoved(ctx context.Context, old, wanted *Definition, objects Objects) (*Report, error) {
	if wanted == nil {
		return Review(ctx, old, nil, objects)
	}
	move, err := MoveOf(old, wanted)
	if err != nil {
		return nil, fmt.Errorf("CRD %s: %w", old.Name, err)
	}
	if move == nil {
		return Review(ctx, old, wanted, objects)
	}
	r, err := Review(ctx, move.After(old), wanted, objects)
	if err != nil {
		return nil, err
	}
	if err := r.moved(ctx, old, wanted, move, objects); err != nil {
		return nil, fmt.Errorf("CRD %s: %w", old.Name, err)
	}
	r.Move, move.Objects = move, r.Objects
	return r, nil
}

// moved adds what objects lose by being written in another version, which their
// own shows as long as it is served. Where a webhook converts, that says so.
func (r *Report) moved(ctx context.Context, old, wanted *Definition, move *Move, objects Objects) error {
	target := version(old, move.To)
	if move.Begins {
		target = version(wanted, move.To)
	}
	found := harms{}
	for _, h := range r.Harms {
		found[h] = true
	}
	for _, name := range move.From {
		before := version(old, name)
		if before == nil || !before.Served || converts(old) {
			continue
		}
		now, err := newJudge(before)
		if err != nil {
			return err
		}
		then, err := newJudge(target)
		if err != nil {
			return err
		}
		t := trial{read: name, now: now, against: []*judge{then}, dropped: true}
		n, err := t.run(ctx, objects, found)
		if err := r.looked(name, n, err); err != nil {
			return err
		}
	}
	r.Harms = found.list()
	if r.Looked {
		return nil
	}
	return r.count(ctx, old, objects)
}
