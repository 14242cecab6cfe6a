package mutation

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

const (
	count = 500
	seed  = 20261124
	// wanted is the share that must be refused.
	wanted = 0.99
)

// The mutations mean something only if what they start from is valid.
func TestTheDocumentsAreValid(t *testing.T) {
	for _, d := range documents(t) {
		content, err := encode(d.content)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.check(content); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
	}
}

func TestWrongValuesAreCaughtBeforeAClusterIsTouched(t *testing.T) {
	mutations := mutate(t)
	refusals := make([]error, len(mutations))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, m := range mutations {
		group.Go(func() error {
			content, err := encode(m.content)
			if err != nil {
				return err
			}
			refusals[i] = m.document.check(content)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}

	caught, total, missed := map[string]int{}, map[string]int{}, []string{}
	for i, m := range mutations {
		total[m.kind]++
		if refusals[i] != nil {
			caught[m.kind]++
			continue
		}
		missed = append(missed, fmt.Sprintf("%s: %s: %s", m.document.name, m.kind, m.what))
	}
	for _, kind := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%-14s %3d of %3d caught", kind, caught[kind], total[kind])
	}
	t.Logf("%d of %d wrong values are caught before a cluster is touched; the rest:\n  %s",
		count-len(missed), count, strings.Join(append(missed, "(end)"), "\n  "))
	if float64(count-len(missed)) < wanted*count {
		t.Errorf("fewer than %v %% are caught", 100*wanted)
	}
	for _, example := range []int{0, 1, 2, 3, 4, 5} {
		if refusals[example] != nil {
			t.Logf("for example %s: %s\n    %s", mutations[example].document.name, mutations[example].what, firstLine(refusals[example]))
		}
	}
}

// mutate draws different mutations, of all kinds and all documents alike.
func mutate(t *testing.T) []mutation {
	rng := rand.New(rand.NewPCG(seed, seed))
	all := documents(t)
	keys, kinds := knownKeys(append(all, elsewhere(t))), slices.Sorted(maps.Keys(mutators))
	seen := map[string]bool{}
	var out []mutation
	for draws := 0; len(out) < count; draws++ {
		if draws > 100*count {
			t.Fatalf("only %d different mutations were found", len(out))
		}
		kind := kinds[len(out)%len(kinds)]
		d := all[rng.IntN(len(all))]
		m, ok := mutators[kind](rng, d, keys)
		if !ok || seen[d.name+m.what] {
			continue
		}
		seen[d.name+m.what] = true
		m.kind = kind
		out = append(out, m)
	}
	return out
}
