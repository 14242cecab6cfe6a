package fleet

import (
	"cmp"
	"maps"
	"slices"
)

// settleJournal names the journal of a file that names none, once all platforms
// are known.
func (f *Fleet) settleJournal() {
	journal := DefaultJournal
	if own := f.restrictedTo(); len(own) == 1 {
		journal = own[0]
	}
	f.Journal.Namespace.Value = cmp.Or(f.Journal.Namespace.Value, journal)
}

// Confined lists the namespaces that the fleet keeps to, for whoever runs it: it
// installs no CRDs, its operators are restricted, and its journal is in one of
// them, so that its owner needs rights there alone. Nil for every other fleet.
func (f *Fleet) Confined() []string {
	own := f.restrictedTo()
	if !slices.Contains(own, f.Journal.Namespace.Value) {
		return nil
	}
	return own
}

// restrictedTo lists the namespaces of a fleet that has nothing elsewhere; nil if
// it has.
func (f *Fleet) restrictedTo() []string {
	if !f.CRDs.Elsewhere {
		return nil
	}
	own := map[string]bool{}
	for _, p := range f.Platforms {
		if p.Scope.Value != ScopeNamespace {
			return nil
		}
		own[p.Namespace], own[cmp.Or(p.Serves.Value, p.Namespace)] = true, true
	}
	return slices.Sorted(maps.Keys(own))
}
