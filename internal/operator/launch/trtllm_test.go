package launch

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	sshTo  = `-p 2222 -i /ssh-run/key -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=/ssh-run/known_hosts`
	mpirun = `mpirun --allow-run-as-root --oversubscribe --bind-to none -n `
	second = `${LWS_LEADER_ADDRESS%%.*}-1.${LWS_LEADER_ADDRESS#*.}`
	third  = `${LWS_LEADER_ADDRESS%%.*}-2.${LWS_LEADER_ADDRESS#*.}`
	grove  = `$GROVE_PCSG_NAME-$GROVE_PCSG_INDEX-`
)

func waits(workers ...string) string {
	return sshClient + ` && trap 'exit 143' TERM && for ssh_host in "` + strings.Join(workers, `" "`) + `"; do until ssh ` + sshTo + ` -o ConnectTimeout=5 "$ssh_host" true; do sleep 1; done; done && `
}

func ranksOn(hosts string) string {
	return ` -H "` + hosts + `" --mca pml ob1 --mca plm_rsh_args "` + sshTo + `" `
}

// TestTRTLLM: words stay words, in a line only the call is changed, and each rank
// has what the line sets for the engine.
func TestTRTLLM(t *testing.T) {
	json := `{"a b": "it's $HOME"}`
	two := mpirun + "8" + ranksOn("$LWS_LEADER_ADDRESS:4,"+second+":4")
	for name, tc := range map[string]struct {
		nodes          int32
		names          Names
		given          Command
		leader, worker Command
	}{
		"words": {2, InLeaderWorkerSet, list("dynamo.trtllm", "--tensor_parallel_size", "8", "--json", json),
			script(waits(second)+"exec "+two+`trtllm-llmapi-launch "$@"`, "dynamo.trtllm", "--tensor_parallel_size", "8", "--json", json), script(sshServer)},
		"three nodes, sizes in a file": {3, InLeaderWorkerSet, list("dynamo.trtllm", "--extra-engine-args", "/e.yaml"),
			script(waits(second, third)+"exec "+mpirun+"12"+ranksOn("$LWS_LEADER_ADDRESS:4,"+second+":4,"+third+":4")+`trtllm-llmapi-launch "$@"`, "dynamo.trtllm", "--extra-engine-args", "/e.yaml"), script(sshServer)},
		"a line": {2, InLeaderWorkerSet, line(`export A='b c' X; cd /x && D=1 exec python3 -m dynamo.trtllm --tensor-parallel-size=4 --pipeline-parallel-size 2 --n "it's $A" > log || exit 3`),
			line(`export A='b c' X; cd /x && { ` + waits(second) + `D=1 exec ` + mpirun + "8" + ranksOn("$LWS_LEADER_ADDRESS:4,"+second+":4") + `-x A -x D -x X trtllm-llmapi-launch ` +
				`python3 -m dynamo.trtllm --tensor-parallel-size=4 --pipeline-parallel-size 2 --n "it's $A"; } > log || exit 3`),
			line(`export A='b c' X; cd /x && { ` + sshServer + `; } > log || exit 3`)},
		"the launcher is there already": {2, InLeaderWorkerSet, line(`trtllm-llmapi-launch numactl -N 0 python3 -m dynamo.trtllm --tensor-parallel-size 8`),
			line(`{ ` + waits(second) + two + `trtllm-llmapi-launch numactl -N 0 python3 -m dynamo.trtllm --tensor-parallel-size 8; }`), line(`{ ` + sshServer + `; }`)},
		"in Grove": {3, InGrove("w-ldr", "w-wkr"), list("dynamo.trtllm", "--tensor-parallel-size", "12"),
			script(waits(grove+`w-wkr-0.$GROVE_HEADLESS_SERVICE`, grove+`w-wkr-1.$GROVE_HEADLESS_SERVICE`)+"exec "+
				mpirun+"12"+ranksOn(grove+`w-ldr-0.$GROVE_HEADLESS_SERVICE:4,`+grove+`w-wkr-0.$GROVE_HEADLESS_SERVICE:4,`+grove+`w-wkr-1.$GROVE_HEADLESS_SERVICE:4`)+
				`trtllm-llmapi-launch "$@"`, "dynamo.trtllm", "--tensor-parallel-size", "12"), script(sshServer)},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := For(v1alpha1.BackendFrameworkTRTLLM, Group{Nodes: tc.nodes, GPUs: 4, Names: tc.names}, tc.given)
			if err != nil || !got.SSH {
				t.Fatalf("by SSH: %v, %v", got.SSH, err)
			}
			for role, pair := range map[string][2]Command{"leader": {tc.leader, got.Leader}, "worker": {tc.worker, got.Worker}} {
				want, is := slices.Concat(pair[0].Command, pair[0].Args), slices.Concat(pair[1].Command, pair[1].Args)
				if diff := cmp.Diff(want, is); diff != "" {
					t.Errorf("%s: -want +got:\n%s", role, diff)
				}
			}
		})
	}
}

func TestTRTLLMRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		gpus  int64
		given Command
		want  string
	}{
		"no GPUs":         {0, list("dynamo.trtllm", "--tensor-parallel-size", "8"), "resources.limits.gpu is not set"},
		"other sizes":     {4, list("dynamo.trtllm", "--tensor-parallel-size", "4"), "is 4, and 2 nodes with 4 GPUs each run 8 ranks"},
		"no sizes":        {4, list("dynamo.trtllm"), "is 1, and 2 nodes"},
		"an unknown size": {4, line("python3 -m dynamo.trtllm --tensor-parallel-size $TP"), "is $TP, which is not known"},
		"hidden sizes":    {4, line(`python3 -m dynamo.trtllm "$@"`), `may be in "$@"`},
		"its own mpirun":  {4, line("mpirun -n 8 trtllm-llmapi-launch python3 -m dynamo.trtllm"), "the command has mpirun"},
		"a builtin":       {4, line("command python3 -m dynamo.trtllm --tensor-parallel-size 8"), "called by command"},
		"exec's options":  {4, line("exec -a x python3 -m dynamo.trtllm --tensor-parallel-size 8"), "called by exec"},
		"a script":        {4, line("./start.sh"), "does not itself call python3 -m dynamo.trtllm"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := For(v1alpha1.BackendFrameworkTRTLLM, Group{Nodes: 2, GPUs: tc.gpus, Names: InLeaderWorkerSet}, tc.given)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	got, err := For(v1alpha1.BackendFrameworkTRTLLM, Group{Nodes: 2, GPUs: 4, Names: InLeaderWorkerSet}, list("dynamo.trtllm", "--extra-engine-args", "/e.yaml"))
	if err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "must make 8 ranks") {
		t.Errorf("got %v, %v, want a note on the file", got.Notes, err)
	}
}
