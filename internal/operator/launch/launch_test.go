package launch

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"mvdan.cc/sh/v3/syntax"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

func list(words ...string) Command {
	return Command{Command: []string{"python3", "-m"}, Args: words}
}

func line(text string) Command {
	return Command{Command: []string{"/bin/sh", "-c"}, Args: []string{text}}
}

func script(text string, words ...string) Command {
	c := Command{Command: []string{"/bin/sh", "-c", text}}
	if len(words) > 0 {
		c.Args = append([]string{"sh", "python3", "-m"}, words...)
	}
	return c
}

const (
	joins   = `until ray health-check --address "$LWS_LEADER_ADDRESS:6379" >/dev/null 2>&1; do sleep 1; done; exec ray start --address="$LWS_LEADER_ADDRESS:6379" --block`
	heads   = `ray start --head --port=6379 && `
	meeting = "--dist-init-addr $(LWS_LEADER_ADDRESS):29500 --nnodes 2 --node-rank "
	ranks   = " --data-parallel-hybrid-lb --data-parallel-size-local 4 --data-parallel-start-rank "
	leads   = " --data-parallel-address $(LWS_LEADER_ADDRESS) --data-parallel-rpc-port 13445"
)

func TestFor(t *testing.T) {
	sglang := func(rank string) []string { return strings.Fields(meeting + rank) }
	json := `{"kv_connector": "Nixl", "it's": "$HOME"}`
	for name, tc := range map[string]struct {
		engine         v1alpha1.BackendFramework
		gpus           int64
		given          Command
		leader, worker Command
	}{
		"no engine": {"", 1, line("./mine.sh"), line("./mine.sh"), line("./mine.sh")},
		"sglang, words": {"sglang", 4, list("dynamo.sglang", "--json", json),
			list(slices.Concat([]string{"dynamo.sglang", "--json", json}, sglang("0"))...),
			list(slices.Concat([]string{"dynamo.sglang", "--json", json}, sglang("$(LWS_WORKER_INDEX)"))...)},
		"sglang, a wrapper's words": {"sglang", 4,
			Command{Command: []string{"numactl", "-N", "0", "/opt/venv/bin/python3.12", "-u", "-m", "dynamo.sglang"}},
			Command{Command: []string{"numactl", "-N", "0", "/opt/venv/bin/python3.12", "-u", "-m", "dynamo.sglang"}, Args: sglang("0")},
			Command{Command: []string{"numactl", "-N", "0", "/opt/venv/bin/python3.12", "-u", "-m", "dynamo.sglang"}, Args: sglang("$(LWS_WORKER_INDEX)")}},
		"sglang, a line": {"sglang", 4, line("export A='b c'\npython3 -m dynamo.sglang --x \"$A\" 2>&1 | tee /tmp/log"),
			line("export A='b c'\npython3 -m dynamo.sglang --x \"$A\" " + meeting + "0 2>&1 | tee /tmp/log"),
			line("export A='b c'\npython3 -m dynamo.sglang --x \"$A\" " + meeting + "$(LWS_WORKER_INDEX) 2>&1 | tee /tmp/log")},
		"sglang, by itself": {"sglang", 4,
			line("python3 -m dynamo.sglang --dist-init-addr $LWS_LEADER_ADDRESS:1 --nnodes=2 --node-rank $LWS_WORKER_INDEX"),
			line("python3 -m dynamo.sglang --dist-init-addr $LWS_LEADER_ADDRESS:1 --nnodes=2 --node-rank $LWS_WORKER_INDEX"),
			line("python3 -m dynamo.sglang --dist-init-addr $LWS_LEADER_ADDRESS:1 --nnodes=2 --node-rank $LWS_WORKER_INDEX")},
		"vllm, one large model, words": {"vllm", 4, list("dynamo.vllm", "--kv-transfer-config", json, "-tp", "8"),
			script(heads+`exec "$@" --distributed-executor-backend ray`, "dynamo.vllm", "--kv-transfer-config", json, "-tp", "8"), script(joins)},
		"vllm, one large model, a line": {"vllm", 4, line(`cd /x && A=1 exec python3 -m dynamo.vllm --tp=8 --served-model-name "it's" > log || exit 3`),
			line(`cd /x && { ` + heads + `A=1 exec python3 -m dynamo.vllm --tp=8 --served-model-name "it's" --distributed-executor-backend ray; } > log || exit 3`),
			line(`cd /x && { ` + joins + `; } > log || exit 3`)},
		"vllm, Ray was asked for": {"vllm", 4, list("dynamo.vllm", "--distributed-executor-backend=ray", "--pipeline_parallel_size", "8"),
			script(heads+`exec "$@"`, "dynamo.vllm", "--distributed-executor-backend=ray", "--pipeline_parallel_size", "8"), script(joins)},
		"vllm, copies": {"vllm", 8, list("dynamo.vllm", "--tensor-parallel-size", "2", "-dp=8"),
			list(slices.Concat([]string{"dynamo.vllm", "--tensor-parallel-size", "2", "-dp=8"}, strings.Fields(ranks+"0"+leads))...),
			script(`exec "$@"`+ranks+"$((4*LWS_WORKER_INDEX))"+leads, "dynamo.vllm", "--tensor-parallel-size", "2", "-dp=8")},
		"vllm, the last flag counts": {"vllm", 4, list("dynamo.vllm", "-tp", "4", "-tp", "8"),
			script(heads+`exec "$@" --distributed-executor-backend ray`, "dynamo.vllm", "-tp", "4", "-tp", "8"), script(joins)},
		"vllm, options of a shell": {"vllm", 4, Command{Command: []string{"bash", "-euo", "pipefail", "-c", "python3 -m dynamo.vllm \\\n  -tp 8"}},
			Command{Command: []string{"bash", "-euo", "pipefail", "-c"}, Args: []string{"{ " + heads + "python3 -m dynamo.vllm \\\n  -tp 8 --distributed-executor-backend ray; }"}},
			Command{Command: []string{"bash", "-euo", "pipefail", "-c"}, Args: []string{"{ " + joins + "; }"}}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := For(tc.engine, Group{Nodes: 2, GPUs: tc.gpus, Names: InLeaderWorkerSet}, tc.given)
			if err != nil {
				t.Fatal(err)
			}
			for role, pair := range map[string][2]Command{"leader": {tc.leader, got.Leader}, "worker": {tc.worker, got.Worker}} {
				if diff := cmp.Diff(pair[0], pair[1], cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s -want +got:\n%s", role, diff)
				}
			}
		})
	}
}

// In Grove the number of a worker's pod begins at 0 anew, and hosts are made of
// several variables.
func TestForInGrove(t *testing.T) {
	const host = "$(GROVE_PCSG_NAME)-$(GROVE_PCSG_INDEX)-w-ldr-0.$(GROVE_HEADLESS_SERVICE)"
	const shell = `"$GROVE_PCSG_NAME-$GROVE_PCSG_INDEX-w-ldr-0.$GROVE_HEADLESS_SERVICE:6379"`
	for name, tc := range map[string]struct {
		engine         v1alpha1.BackendFramework
		gpus           int64
		given          Command
		leader, worker Command
	}{
		"sglang": {"sglang", 4, list("dynamo.sglang"),
			list("dynamo.sglang", "--dist-init-addr", host+":29500", "--nnodes", "2", "--node-rank", "0"),
			script(`exec "$@" --dist-init-addr `+host+`:29500 --nnodes 2 --node-rank $((GROVE_PCLQ_POD_INDEX+1))`, "dynamo.sglang")},
		"vllm, one large model": {"vllm", 4, list("dynamo.vllm", "-tp", "8"),
			script(heads+`exec "$@" --distributed-executor-backend ray`, "dynamo.vllm", "-tp", "8"),
			script(`until ray health-check --address ` + shell + ` >/dev/null 2>&1; do sleep 1; done; exec ray start --address=` + shell + ` --block`)},
		"vllm, copies": {"vllm", 8, list("dynamo.vllm", "-tp", "2", "-dp=8"),
			list(slices.Concat([]string{"dynamo.vllm", "-tp", "2", "-dp=8"}, strings.Fields(ranks+"0 --data-parallel-address "+host+" --data-parallel-rpc-port 13445"))...),
			script(`exec "$@"`+ranks+"$((4*(GROVE_PCLQ_POD_INDEX+1))) --data-parallel-address "+host+" --data-parallel-rpc-port 13445", "dynamo.vllm", "-tp", "2", "-dp=8")},
		"by itself": {"sglang", 4,
			line("python3 -m dynamo.sglang --dist-init-addr $A --nnodes 2 --node-rank $GROVE_PCLQ_POD_INDEX"),
			line("python3 -m dynamo.sglang --dist-init-addr $A --nnodes 2 --node-rank $GROVE_PCLQ_POD_INDEX"),
			line("python3 -m dynamo.sglang --dist-init-addr $A --nnodes 2 --node-rank $GROVE_PCLQ_POD_INDEX")},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := For(tc.engine, Group{Nodes: 2, GPUs: tc.gpus, Names: InGrove("w-ldr", "w-wkr")}, tc.given)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]Command{tc.leader, tc.worker}, []Command{got.Leader, got.Worker}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("leader, worker: -want +got:\n%s", diff)
			}
		})
	}
	ofAnother := line("python3 -m dynamo.sglang --dist-init-addr $A --nnodes 2 --node-rank $LWS_WORKER_INDEX")
	if _, err := For("sglang", Group{Nodes: 2, GPUs: 4, Names: InGrove("w-ldr", "w-wkr")}, ofAnother); err == nil {
		t.Error("a rank that no pod of Grove has is accepted")
	}
}

func TestForRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		engine v1alpha1.BackendFramework
		gpus   int64
		given  Command
		want   string
	}{
		"a script":               {"sglang", 4, line("./start.sh"), "does not itself call python3 -m dynamo.sglang"},
		"another program":        {"vllm", 4, Command{Command: []string{"python3", "serve.py"}}, "does not itself call python3 -m dynamo.vllm"},
		"a line within a line":   {"vllm", 4, line(`bash -c "python3 -m dynamo.vllm -tp 8"`), "does not itself call"},
		"two calls":              {"sglang", 4, line("python3 -m dynamo.sglang & python3 -m dynamo.sglang"), "calls dynamo.sglang 2 times"},
		"no shell text":          {"sglang", 4, line("python3 -m dynamo.sglang 'x"), "cannot be read"},
		"an unknown size":        {"vllm", 4, line("python3 -m dynamo.vllm -tp $TP"), "--tensor-parallel-size is $TP, which is not known"},
		"hidden sizes":           {"vllm", 4, line("python3 -m dynamo.vllm --model x $FLAGS"), "may be in $FLAGS"},
		"hidden sizes, all":      {"vllm", 4, line(`python3 -m dynamo.vllm "$@"`), `may be in "$@"`},
		"no number":              {"vllm", 4, list("dynamo.vllm", "-tp", "many"), `is "many"`},
		"no value":               {"vllm", 4, list("dynamo.vllm", "-tp", "--model", "x"), `is ""`},
		"no GPUs":                {"vllm", 0, list("dynamo.vllm", "-tp", "8"), "resources.limits.gpu is not set"},
		"too few GPUs":           {"vllm", 2, list("dynamo.vllm", "-tp", "8"), "8 GPUs, and 2 nodes with 2 each have 4"},
		"one node is enough":     {"vllm", 8, list("dynamo.vllm", "-tp", "8"), "use replicas instead of multinode"},
		"uneven copies":          {"vllm", 8, list("dynamo.vllm", "-tp", "2", "-dp", "6"), "--data-parallel-size must be 8"},
		"another executor":       {"vllm", 4, list("dynamo.vllm", "-tp", "8", "--distributed-executor-backend", "mp"), "only ray spreads"},
		"a file alone":           {"vllm", 4, list("dynamo.vllm", "--config", "/etc/vllm.yaml"), "the sizes in the file of --config are not read"},
		"half by itself":         {"sglang", 4, list("dynamo.sglang", "--nnodes", "2"), "are added for each pod: leave them out"},
		"one rank for all":       {"sglang", 4, list("dynamo.sglang", "--nnodes", "2", "--dist-init-addr", "a:1", "--node-rank", "0"), "as the rank"},
		"another number of pods": {"sglang", 4, list("dynamo.sglang", "--nnodes", "3"), "--nnodes is 3, and multinode.nodeCount 2"},
		"half of the copies":     {"vllm", 8, list("dynamo.vllm", "-dp", "16", "--data-parallel-address", "x"), "--data-parallel-address is added for each pod"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := For(tc.engine, Group{Nodes: 2, GPUs: tc.gpus, Names: InLeaderWorkerSet}, tc.given)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestAConfigFileIsLeftAloneAndSaid(t *testing.T) {
	got, err := For("vllm", Group{Nodes: 2, GPUs: 4, Names: InLeaderWorkerSet}, list("dynamo.vllm", "--config", "/etc/vllm.yaml", "-tp", "8"))
	if err != nil || len(got.Notes) != 1 || !strings.Contains(got.Notes[0], "--config is left alone") {
		t.Errorf("got %v, %v, want a note on --config", got.Notes, err)
	}
}

// FuzzFor: whatever was written is still there, word for word, and what a shell
// gets is shell text in which the engine is called once.
func FuzzFor(f *testing.F) {
	f.Add("vllm", "-tp 8", "python3 -m dynamo.vllm -tp 8 --x '{\"a\": 1}' | tee log", int64(4))
	f.Add("sglang", "--x $(A) \"", "a || python3 -m dynamo.sglang <<EOF\nx\nEOF", int64(1))
	f.Add("trtllm", "--tensor-parallel-size 8 'x", "A=1 exec python3 -m dynamo.trtllm --tensor-parallel-size 8 \"$A\" & wait", int64(4))
	f.Add("vllm", "--data-parallel-size=4", "if python3 -m dynamo.vllm -dp 4; then :; fi", int64(2))
	f.Fuzz(func(t *testing.T, engine, words, text string, gpus int64) {
		group := Group{Nodes: 2, GPUs: gpus & 0xff, Names: InLeaderWorkerSet}
		given := list(slices.Concat([]string{"dynamo." + engine}, strings.Split(words, " "))...)
		if got, err := For(v1alpha1.BackendFramework(engine), group, given); err == nil {
			want := strings.Join(slices.Concat(given.Command, given.Args), "\x00")
			if all := strings.Join(slices.Concat(got.Leader.Command, got.Leader.Args), "\x00"); !strings.Contains(all, want) {
				t.Errorf("%q is not in %q", want, all)
			}
		}
		got, err := For(v1alpha1.BackendFramework(engine), group, line(text))
		if err != nil || plans[v1alpha1.BackendFramework(engine)] == nil {
			return
		}
		if _, err := find(engine, group.Names, got.Leader); err != nil {
			t.Errorf("%q became %q: %v", text, got.Leader, err)
		}
		if _, err := syntax.NewParser().Parse(strings.NewReader(got.Worker.Args[0]), ""); err != nil {
			t.Errorf("%q became %q: %v", text, got.Worker, err)
		}
	})
}
