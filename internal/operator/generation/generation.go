// Package generation decides how the workers of a graph give way to those of
// another spec, so that a request is never served by workers of two. It is pure
// and remembers nothing: what there is decides what is next.
package generation

import (
	"cmp"
	"slices"
)

// Role is a service of a graph that has generations.
type Role struct {
	// Desired replicas once the change is over.
	Desired int32
	// Surge is how many replicas more there may be meanwhile, Unavailable how many
	// available ones fewer. One of them is above zero.
	Surge, Unavailable int32
}

// Count is what a generation has of one role.
type Count struct {
	// Spec is how many replicas are asked for, Present how many there are, and
	// Ready how many of these are.
	Spec, Present, Ready int32
}

// Generation is what there is of the workers of one spec.
type Generation struct {
	// Hash of the specs; "" for workers that were made before there were
	// generations, or outside of them.
	Hash  string
	Roles map[string]Count
}

// Change is how the wanted generation takes over.
type Change struct {
	Wanted string
	Roles  map[string]Role
	// Recreate: the others end before the wanted one begins.
	Recreate bool
	// Seen: the frontends see the wanted generation, as far as that is known.
	Seen bool
}

// Next is how many replicas each role of each generation has next, by hash and
// role. The wanted generation is always among them; one that is not is to go.
func (c Change) Next(there []Generation) map[string]map[string]int32 {
	wanted, others := c.sort(there)
	if c.Recreate {
		return c.recreate(wanted, others)
	}
	// What does not serve has nothing to lose, and is in the way.
	others = slices.DeleteFunc(others, func(g Generation) bool { return g.ready() == 0 })
	if len(others) == 0 || c.Seen && c.complete(wanted) {
		return map[string]map[string]int32{c.Wanted: c.desired()}
	}
	next := map[string]map[string]int32{c.Wanted: {}}
	for _, other := range others {
		next[other.Hash] = map[string]int32{}
		for name, count := range other.Roles {
			next[other.Hash][name] = count.Spec
		}
	}
	for name, role := range c.Roles {
		budget := role.former(wanted.Roles[name])
		var left int32
		for _, other := range others {
			if count, has := other.Roles[name]; has {
				keeps := min(count.Spec, budget-left)
				next[other.Hash][name] = keeps
				left += keeps
			}
		}
		next[c.Wanted][name] = role.grow(wanted.Roles[name], total(others, name))
	}
	return next
}

// recreate ends all others first.
func (c Change) recreate(wanted Generation, others []Generation) map[string]map[string]int32 {
	next := map[string]map[string]int32{c.Wanted: c.desired()}
	for _, other := range others {
		if other.present() == 0 {
			continue
		}
		next[other.Hash] = map[string]int32{}
		for name := range other.Roles {
			next[other.Hash][name] = 0
		}
	}
	if len(next) > 1 {
		for name, role := range c.Roles {
			next[c.Wanted][name] = min(wanted.Roles[name].Spec, role.Desired)
		}
	}
	return next
}

// former is how many replicas of the others a role keeps: what is missing of the
// available ones, and one as long as the others serve at all, because half a
// generation serves worse than none. Where no replica may be added, that one has
// to make room.
func (r Role) former(wanted Count) int32 {
	missing := max(r.Desired-r.Unavailable-wanted.Ready, 0)
	if r.Surge > 0 {
		missing = max(missing, min(1, r.Desired))
	}
	return missing
}

// grow is how many replicas the wanted generation has beside those of the others.
func (r Role) grow(wanted Count, others int32) int32 {
	return min(max(r.Desired+r.Surge-others, wanted.Spec, 0), r.Desired)
}

// sort finds the wanted generation, and puts those first of the others that
// serve most.
func (c Change) sort(there []Generation) (wanted Generation, others []Generation) {
	for _, g := range there {
		if g.Hash == c.Wanted {
			wanted = g
		} else {
			others = append(others, g)
		}
	}
	slices.SortFunc(others, func(a, b Generation) int {
		return cmp.Or(cmp.Compare(b.ready(), a.ready()), cmp.Compare(a.Hash, b.Hash))
	})
	return wanted, others
}

func (c Change) desired() map[string]int32 {
	desired := map[string]int32{}
	for name, role := range c.Roles {
		desired[name] = role.Desired
	}
	return desired
}

// complete: all that is desired is ready.
func (c Change) complete(g Generation) bool {
	for name, role := range c.Roles {
		if g.Roles[name].Ready < role.Desired {
			return false
		}
	}
	return true
}

func (g Generation) ready() (n int32) {
	for _, count := range g.Roles {
		n += count.Ready
	}
	return n
}

func (g Generation) present() (n int32) {
	for _, count := range g.Roles {
		n += count.Present
	}
	return n
}

func total(generations []Generation, role string) (n int32) {
	for _, g := range generations {
		n += g.Roles[role].Spec
	}
	return n
}
