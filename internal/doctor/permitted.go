package doctor

import (
	"maps"
	"slices"
	"strings"
)

var notPermitted = Check{
	ID:   "not-permitted",
	Says: "not everything could be looked at",
	Find: func(s *Snapshot) (out []Finding) {
		unread := map[string]map[Fact]string{}
		for _, u := range s.Unread {
			if unread[u.Namespace] == nil {
				unread[u.Namespace] = map[Fact]string{}
			}
			unread[u.Namespace][u.Fact] = u.Reason
		}
		for _, namespace := range slices.Sorted(maps.Keys(unread)) {
			out = append(out, hidden(namespace, unread[namespace]))
		}
		return out
	},
}

// hidden tells of what could not be read in one place. Without its pods nothing is
// known of a namespace, and without any namespace nothing is known at all.
func hidden(namespace string, facts map[Fact]string) Finding {
	names := make([]string, 0, len(facts))
	for _, fact := range slices.Sorted(maps.Keys(facts)) {
		names = append(names, string(fact))
	}
	f := Finding{At: Place{Kind: "Cluster", Name: "as a whole"}, Note: true, Next: kubectl("", "auth", "can-i", "--list")}
	decides := Platforms
	if namespace != "" {
		decides = Pods
		f.At = Place{Kind: "Namespace", Name: namespace}
		f.Next = kubectl(namespace, "auth", "can-i", "--list")
	}
	if reason, unknown := facts[decides]; unknown {
		f.Note = false
		f.Says = "you may not look at this, so nothing is known of it"
		f.Seen = reason
		if decides == Platforms {
			f.Says = "you may not look for platforms in the whole cluster; name their namespaces with -n, or a fleet file with -f"
		}
		return f
	}
	f.Seen = reasons(names, facts)
	return f
}

// reasons names facts and why they are not known, each reason once.
func reasons(names []string, facts map[Fact]string) string {
	of := map[string][]string{}
	for _, name := range names {
		reason := facts[Fact(name)]
		of[reason] = append(of[reason], name)
	}
	var out []string
	for _, reason := range slices.Sorted(maps.Keys(of)) {
		out = append(out, list(of[reason])+": "+reason)
	}
	return strings.Join(out, "; ")
}

// list names all of some things.
func list(names []string) string { return strings.Join(names, ", ") }
