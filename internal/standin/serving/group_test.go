package serving

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/rendezvous"
)

func TestGroupOfFlags(t *testing.T) {
	pod := map[string]string{"DYN_COMPONENT": "worker", "LWS_GROUP_SIZE": "3"}
	for name, tc := range map[string]struct {
		args []string
		want Group
	}{
		"alone":          {[]string{"-m", "dynamo.sglang"}, Group{}},
		"torch, leader":  {[]string{"-m", "dynamo.sglang", "--dist-init-addr", "a:29500", "--nnodes", "3", "--node-rank", "0"}, Group{Size: 3, Address: "a:29500"}},
		"torch, a rank":  {[]string{"-m", "dynamo.sglang", "--dist-init-addr", "a:29500", "--nnodes", "3", "--node-rank", "2"}, Group{Size: 3, Rank: 2, Address: "a:29500"}},
		"copies, a rank": {[]string{"-m", "dynamo.vllm", "--data-parallel-size-local", "4", "--data-parallel-start-rank", "8", "--data-parallel-address", "a", "--data-parallel-rpc-port", "13445"}, Group{Size: 3, Rank: 2, Address: "a:13445"}},
		"Ray":            {[]string{"-m", "dynamo.vllm", "--distributed-executor-backend", "ray"}, Group{Size: 3, Address: "127.0.0.1:6379", Ray: true}},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := ParsePython(tc.args, func(name string) string { return pod[name] })
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, c.Group); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestGroupOfMPIRun(t *testing.T) {
	for uri, want := range map[string]string{
		"7.0;tcp://10.0.0.1,10.0.1.1:56359;tcp6://[fd00::2]:50787": "10.0.0.1:29600",
		"7.0;tcp6://[fd00::2]:50787":                               "[fd00::2]:29600",
	} {
		variables := map[string]string{"OMPI_COMM_WORLD_SIZE": "8", "OMPI_COMM_WORLD_RANK": "5", "OMPI_MCA_orte_hnp_uri": uri, "LWS_GROUP_SIZE": "2"}
		c, err := ParsePython([]string{"-m", "dynamo.trtllm"}, func(name string) string { return variables[name] })
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(Group{Size: 8, Rank: 5, Address: want}, c.Group); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		if got := port(c.Group.Address); got != mpiPort {
			t.Errorf("its leader hears it at port %s", got)
		}
	}
}

// TestALeaderIsReadyOnlyWithItsGroup: with the others, and no longer without.
func TestALeaderIsReadyOnlyWithItsGroup(t *testing.T) {
	worker := NewWorker(Config{Endpoint: "generate", Group: Group{Size: 2, Address: "x"}}, "pod", nil)
	worker.enter(registered)
	health := func() int {
		answer := httptest.NewRecorder()
		worker.SystemHandler().ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/health", nil))
		return answer.Code
	}
	if got := health(); got != http.StatusServiceUnavailable {
		t.Errorf("alone the leader answers %d", got)
	}
	server := httptest.NewServer(worker.meeting.local.Handler())
	defer server.Close()
	go func() { _ = rendezvous.Join(t.Context(), server.URL, "1") }()
	for worker.meeting.local.Members() == 0 {
		time.Sleep(10 * time.Millisecond)
	}
	if got := health(); got != http.StatusOK {
		t.Errorf("with its group the leader answers %d", got)
	}
}
