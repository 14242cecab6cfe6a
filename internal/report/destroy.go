package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Removal prints what a destroy removes and what it keeps, what goes first. The
// last line sums it up, so that it is still in view when a person is asked.
func Removal(w io.Writer, r *rollout.DestroyPlan, cluster string) error {
	rows := removalRows(r)
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(b[2], a[2]) })
	if err := Table(w, []string{"WHAT", "NAME", "FATE", "NOTE"}, rows); err != nil {
		return err
	}
	if err := unproven(w, r.Unproven); err != nil {
		return err
	}
	removed, kept := Fates(r)
	for _, line := range []string{
		fmt.Sprintf("\nRemoves from %s: %s.", cluster, orNothing(removed)),
		fmt.Sprintf("Keeps: %s.", orNothing(kept)),
	} {
		if _, err := fmt.Fprintln(w, wrap(w, line)); err != nil {
			return err
		}
	}
	return nil
}

func orNothing(parts []string) string {
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func removalRows(r *rollout.DestroyPlan) (rows [][]string) {
	fate := func(removed bool) string { return note(removed, "removed", "kept") }
	for _, g := range r.Graphs {
		rows = append(rows, []string{"graph", g.Namespace + "/" + g.Name, fate(r.Options.WithGraphs), ""})
	}
	for _, release := range r.Releases {
		rows = append(rows, []string{"release", release.String(), "removed", fmt.Sprintf("revision %d, %s", release.Revision, release.Status)})
	}
	for _, key := range slices.SortedFunc(maps.Keys(r.Claims), byName) {
		for _, claim := range r.Claims[key] {
			rows = append(rows, []string{"volume claim", key.Namespace + "/" + claim, fate(r.Options.PurgeData), note(r.Options.PurgeData, "its data is deleted", "")})
		}
	}
	for _, crd := range slices.Sorted(maps.Keys(r.CRDs)) {
		objects := count(r.CRDs[crd], "object")
		rows = append(rows, []string{"CRD", crd, fate(r.Options.PurgeCRDs), note(r.Options.PurgeCRDs, "and its "+objects+", in all namespaces", objects)})
	}
	for _, ns := range r.Namespaces {
		rows = append(rows, []string{"namespace", ns, fate(r.Options.PurgeNamespaces), note(r.Options.PurgeNamespaces, "if ours and empty", "")})
	}
	return rows
}

// Fates names in a few words what a destroy removes and what it keeps, with the
// flags that would remove that, too.
func Fates(r *rollout.DestroyPlan) (removed, kept []string) {
	claims := 0
	for _, of := range r.Claims {
		claims += len(of)
	}
	releases := make([]string, 0, len(r.Releases))
	for _, release := range r.Releases {
		releases = append(releases, release.String())
	}
	if len(releases) > 0 {
		removed = append(removed, fmt.Sprintf("%s (%s)", count(len(releases), "release"), few(releases)))
	}
	for _, thing := range []struct {
		n    int
		what string
		gone bool
		flag string
	}{
		{len(r.Graphs), "graph", r.Options.WithGraphs, "--with-graphs"},
		{claims, "volume claim", r.Options.PurgeData, "--purge-data"},
		{len(r.CRDs), "CRD", r.Options.PurgeCRDs, "--purge-crds"},
		{len(r.Namespaces), "namespace", r.Options.PurgeNamespaces, "--purge-namespaces"},
	} {
		switch {
		case thing.n == 0:
		case thing.gone:
			removed = append(removed, count(thing.n, thing.what))
		default:
			kept = append(kept, fmt.Sprintf("%s (%s)", count(thing.n, thing.what), thing.flag))
		}
	}
	return removed, kept
}

func note(removed bool, ifSo, ifNot string) string {
	if removed {
		return ifSo
	}
	return ifNot
}
