//go:build e2e && chaos

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// rounds is how often each disturbance is tried.
const rounds = 3

// TestChaos disturbs a graph that is asked all the time, and prints how often each
// disturbance was tried and how often the graph held.
func TestChaos(t *testing.T) {
	install(t)
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes", "--set", "platform.dynamo-operator.leaderWorkerSet.enabled=true")
	run(t, "kubectl", "apply", "--server-side", "-n", disturbed, "-f", "demo/graphs/"+disturbed+".yaml")
	waitReady(t)
	all := append(brief,
		disturbance{"the leader is killed during a rollout", leaderKilled, "led"},
		disturbance{"the API of LeaderWorkerSet comes and goes", apiComesAndGoes, ""})
	held := map[string]int{}
	for range rounds {
		for _, d := range all {
			if t.Run(d.name, func(t *testing.T) { holds(t, d) }) {
				held[d.name]++
			}
			tell(t, "")
			waitReady(t)
		}
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "DISTURBANCE\tTRIED\tHELD")
	for _, d := range all {
		fmt.Fprintf(table, "%s\t%d\t%d\n", d.name, rounds, held[d.name])
	}
	if err := table.Flush(); err != nil {
		t.Error(err)
	}
}

// tell changes the generation that the graph's workers are of.
func tell(t *testing.T, generation string) {
	t.Helper()
	run(t, "kubectl", "patch", "-n", disturbed, "dynamographdeployment/summarize", "--type=merge", "-p", edit(generation))
}

func leaderKilled(t *testing.T) {
	tell(t, "led")
	run(t, "kubectl", "delete", "pod", "-n", platformOf(disturbed), "-l", "control-plane=controller-manager", "--force", "--grace-period=0")
}

// apiComesAndGoes: each time the operator, which looks every ten seconds, makes its
// controllers anew.
func apiComesAndGoes(t *testing.T) {
	folder := cluster.ModuleFolder(t, "test/thirdparty/lws", "sigs.k8s.io/lws")
	definition := filepath.Join(folder, "config/crd/bases/leaderworkerset.x-k8s.io_leaderworkersets.yaml")
	noticed := func(times int) {
		t.Helper()
		eventually(t, time.Minute, func() error {
			log := run(t, "kubectl", "logs", "-n", platformOf(disturbed), "-l", "control-plane=controller-manager", "--tail=-1")
			if n := strings.Count(log, "the cluster has other APIs than before"); n < times {
				return fmt.Errorf("noticed %d times, want %d", n, times)
			}
			return nil
		})
	}
	// A pod of the operator that is new begins to count anew.
	before := strings.Count(run(t, "kubectl", "logs", "-n", platformOf(disturbed), "-l", "control-plane=controller-manager", "--tail=-1"), "the cluster has other APIs than before")
	run(t, "kubectl", "apply", "--server-side", "-f", definition)
	noticed(before + 1)
	run(t, "kubectl", "delete", "-f", definition)
	noticed(before + 2)
}
