package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/Masterminds/semver/v3"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

const versionLabel = "app.kubernetes.io/version"

// operators are those of the cluster or, for whoever may not read roles, what the
// Deployments of the namespaces say.
func (s *Snapshot) operators() []check.Operator {
	out := slices.Clone(s.Operators)
	if !s.knows(Operators, "") {
		for i := range s.Deployments {
			d := &s.Deployments[i]
			if w := newWorkload("Deployment", d, d.Spec.Template, nil); w.isOperator() {
				key := fleet.Key{Namespace: d.Namespace, Name: cmp.Or(marks.ReleaseOf(d).Name, d.Name)}
				out = append(out, check.Operator{
					Release: key, Scope: fleet.ScopeNamespace, Serves: d.Namespace, Version: w.labels[versionLabel], Found: "Deployment " + d.Namespace + "/" + d.Name,
				})
			}
		}
	}
	// What proves the most comes first, so that the others are found beside it.
	slices.SortStableFunc(out, func(a, b check.Operator) int { return cmp.Compare(weight(b), weight(a)) })
	return out
}

func weight(o check.Operator) int {
	w := 0
	if o.Scope == fleet.ScopeCluster {
		w += 2
	}
	if o.Proven {
		w++
	}
	return w
}

var secondOperator = Check{
	ID:   "second-operator",
	Says: "two operators serve the same namespace, and undo each other's work",
	Find: func(s *Snapshot) (out []Finding) {
		all := s.operators()
		for i, o := range all {
			rival := slices.IndexFunc(all[:i], func(other check.Operator) bool { return bothServe(o, other) && (s.concerns(o) || s.concerns(other)) })
			if rival < 0 {
				continue
			}
			place := foundAt(o)
			f := Finding{
				At:   place,
				Seen: fmt.Sprintf("%s (scope %s, found by %s) beside %s (scope %s, found by %s)", o, o.Scope, o.Found, all[rival], all[rival].Scope, all[rival].Found),
				Next: kubectl("", "get", "deployments,roles,clusterroles", "-A", "-l", marks.Name+"="+operatorName),
			}
			if !o.Proven {
				f.Says = "something looks like a second operator; no role proves that it writes graphs"
				f.Next = kubectl(place.Namespace, "get", "deployments,leases", "-o", "wide")
			}
			out = append(out, f)
		}
		return out
	},
}

// concerns reports whether an operator is in a namespace that was looked at, or serves one.
func (s *Snapshot) concerns(o check.Operator) bool {
	return s.looked(o.Release.Namespace) || s.looked(o.Serves)
}

// bothServe reports whether two operators serve one namespace.
func bothServe(a, b check.Operator) bool {
	return a.Scope == fleet.ScopeCluster || b.Scope == fleet.ScopeCluster || a.Serves == b.Serves
}

// foundAt is the object by which an operator was recognised.
func foundAt(o check.Operator) Place {
	kind, object, _ := strings.Cut(o.Found, " ")
	namespace, name, both := strings.Cut(object, "/")
	if !both {
		return Place{Kind: kind, Name: object}
	}
	return Place{Kind: kind, Namespace: namespace, Name: name}
}

var definitionsOlder = Check{
	ID:    "crds-older",
	Says:  "the custom resource definitions are older than the operator: the API server drops what it writes",
	Needs: []Fact{Schemas},
	Find: func(s *Snapshot) []Finding {
		var asking []workload
		for _, w := range s.workloads() {
			if w.isOperator() && !older(w.labels[versionLabel], s.KnownVersion) {
				asking = append(asking, w)
			}
		}
		var first string
		var lacks []string
		for _, kind := range s.Known {
			text := ""
			if served, is := s.Served[kind.Kind]; !is {
				text = "does not serve " + kind.Name
			} else if missing := check.Lacks(kind.Schema, served); len(missing) > 0 {
				text = fmt.Sprintf("has no %s in %s", missing[0], kind.Name)
			}
			if text != "" {
				first = cmp.Or(first, kind.Name)
				lacks = append(lacks, text)
			}
		}
		if len(asking) == 0 || len(lacks) == 0 {
			return nil
		}
		f := Finding{At: Place{Kind: "CustomResourceDefinition", Name: first}, Next: kubectl("", "get", "crd", first)}
		f.Seen = fmt.Sprintf("the operator is of version %s; the cluster %s", asking[0].labels[versionLabel], lacks[0])
		if more := len(lacks) - 1; more > 0 {
			f.Seen += fmt.Sprintf("; the same of %s", count(more, "other kind"))
		}
		for _, w := range asking {
			f.breaks = append(append(f.breaks, w.Place), s.podsOf(w)...)
		}
		return []Finding{f}
	},
}

// older reports whether a version is older than another, as far as both are versions.
// What is none is taken for older: nothing can be told of it.
func older(a, b string) bool {
	x, errX := semver.NewVersion(a)
	y, errY := semver.NewVersion(b)
	return errX != nil || errY != nil || x.LessThan(y)
}

var operatorWithoutRights = Check{
	ID:    "operator-without-rights",
	Says:  "no binding gives the operator any rights",
	Needs: []Fact{Bindings},
	Find: func(s *Snapshot) (out []Finding) {
		bound := map[Place]bool{}
		add := func(kind, namespace, name string) {
			bound[Place{Kind: kind, Namespace: namespace, Name: name}] = true
		}
		for _, b := range s.Bindings {
			for _, subject := range b.Subjects {
				add(subject.Kind, cmp.Or(subject.Namespace, b.Namespace), subject.Name)
			}
		}
		for _, b := range s.ClusterBindings {
			for _, subject := range b.Subjects {
				add(subject.Kind, subject.Namespace, subject.Name)
			}
		}
		for _, w := range s.workloads() {
			account := Place{Kind: "ServiceAccount", Namespace: w.Namespace, Name: cmp.Or(w.template.Spec.ServiceAccountName, "default")}
			if !w.isOperator() || bound[account] || !s.knows(Bindings, w.Namespace) {
				continue
			}
			out = append(out, Finding{
				At: w.Place, Seen: fmt.Sprintf("%s of %s is in no RoleBinding and no ClusterRoleBinding", account, w.Place),
				Next: kubectl(w.Namespace, "get", "rolebindings", "-o", "wide"), breaks: append([]Place{w.Place}, s.podsOf(w)...),
			})
		}
		return out
	},
}

var notInstalled = Check{
	ID:   "not-installed",
	Says: "the fleet file wants a release that the cluster does not have",
	Find: func(s *Snapshot) (out []Finding) {
		if s.Fleet == nil {
			return nil
		}
		installed := map[fleet.Key]bool{}
		for _, r := range s.Releases {
			installed[r.Key] = true
		}
		for _, wanted := range s.Fleet.Releases {
			if (s.looked(wanted.Namespace) || slices.Contains(s.Records, wanted.Namespace)) && s.knows(Releases, wanted.Namespace) && !installed[wanted.Key] {
				out = append(out, Finding{
					At:   Place{Kind: "Release", Namespace: wanted.Namespace, Name: wanted.Name},
					Seen: "no record of Helm", Next: Command{"wheelhouse", "plan"},
				})
			}
		}
		return out
	},
}

// longestOperation is more than Helm takes: its hooks have five minutes.
const longestOperation = 10 * time.Minute

var releaseStuck = Check{
	ID:      "release-stuck",
	Follows: true,
	Says:    "an operation of Helm began and never ended; Helm refuses every other until it is mended",
	Find: func(s *Snapshot) (out []Finding) {
		for _, r := range s.Releases {
			if age := s.Now.Sub(r.Updated); strings.HasPrefix(r.Status, "pending-") || r.Status == "uninstalling" {
				if age < longestOperation {
					continue
				}
				out = append(out, Finding{
					At: releasePlace(r), Seen: fmt.Sprintf("revision %d is %s since %s", r.Revision, r.Status, r.Updated.UTC().Format(time.DateTime)),
					Next: s.history(r, Command{"wheelhouse", "plan"}),
				})
			}
		}
		return out
	},
}

var releaseFailed = Check{
	ID:      "release-failed",
	Follows: true,
	Says:    "the last operation on the release failed",
	Find: func(s *Snapshot) (out []Finding) {
		for _, r := range s.Releases {
			if r.Status == "failed" {
				out = append(out, Finding{
					At: releasePlace(r), Seen: fmt.Sprintf("revision %d is failed", r.Revision), Next: s.history(r, Command{"wheelhouse", "history"}),
				})
			}
		}
		return out
	},
}

func releasePlace(r Release) Place {
	return Place{Kind: "Release", Namespace: r.Namespace, Name: r.Name}
}

// history is the command of the manager where its file is known, and what shows the
// records elsewhere.
func (s *Snapshot) history(r Release, ours Command) Command {
	if s.Fleet != nil && slices.ContainsFunc(s.Fleet.Releases, func(wanted fleet.Release) bool { return wanted.Key == r.Key }) {
		return ours
	}
	return kubectl(r.Namespace, "get", "secrets", "-l", "owner=helm,name="+r.Name, "--show-labels")
}
