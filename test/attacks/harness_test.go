// Package attacks attacks the platform as its tenants could, on a real API
// server with real users: docs/security.md says what each of them may do at
// most, and names these tests. Pods run nowhere, so what a pod could do is done
// with its ServiceAccount's token.
package attacks

import (
	"fmt"
	"os"
	"testing"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

var shared *cluster.Cluster

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	code := cluster.Main(m, &shared)
	removePrograms()
	os.Exit(code)
}

// attack is what a test tries. The document says which, and what must come of it.
type attack struct {
	t   *testing.T
	got string
}

// begin starts the one attack that a test makes: a := begin(t). What came of it
// is logged for the table that ends `make test-attacks`.
func begin(t *testing.T) *attack {
	t.Helper()
	a := &attack{t: t}
	t.Cleanup(func() {
		if a.got != "" {
			t.Log("got: " + a.got)
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
