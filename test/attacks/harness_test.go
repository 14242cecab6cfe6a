// Package attacks attacks the platform as its tenants could, on a real API
// server with real users: docs/security.md says what each of them may do at
// most, and names these tests. Pods run nowhere, so what a pod could do is done
// with its ServiceAccount's token.
package attacks

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

var shared *cluster.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := cluster.Main(m, &shared)
	print(os.Stdout)
	removePrograms()
	os.Exit(code)
}

// attack is one row of the table that ends a run: what was tried, what must
// come of it, and what came.
type attack struct {
	t                    *testing.T
	title, expected, got string
}

var (
	attacks   []*attack
	attacksMu sync.Mutex
)

// begin names the attack that a test makes, and what must come of it: a := begin(…). Each test
// makes one.
func begin(t *testing.T, title, expected string) *attack {
	t.Helper()
	a := &attack{t: t, title: title, expected: expected}
	attacksMu.Lock()
	defer attacksMu.Unlock()
	attacks = append(attacks, a)
	t.Cleanup(func() {
		switch {
		case t.Failed() && a.got == "":
			a.got = "NOT HELD, see the test's output"
		case t.Failed():
			a.got = "NOT HELD: " + a.got
		case a.got == "":
			a.got = "held"
		}
	})
	return a
}

// came says what the attack came to, in a few words.
func (a *attack) came(format string, args ...any) { a.got = fmt.Sprintf(format, args...) }

// broke is what the attacker must not have reached.
func (a *attack) broke(format string, args ...any) {
	a.t.Helper()
	a.got = fmt.Sprintf(format, args...)
	a.t.Error(a.got)
}

// print writes the table, in the order of the tests' names.
func print(out io.Writer) {
	slices.SortFunc(attacks, func(a, b *attack) int { return cmp.Compare(a.t.Name(), b.t.Name()) })
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	_, _ = fmt.Fprintln(table, "ATTACK\tEXPECTED\tGOT")
	for _, a := range attacks {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\n", a.title, a.expected, firstLine(a.got))
	}
	_ = table.Flush()
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
