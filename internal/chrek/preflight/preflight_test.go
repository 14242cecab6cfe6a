package preflight

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

// able is a node on which every check passes.
func able() Facts {
	return Facts{
		Arch: "amd64", Kernel: "6.8.0-45-generic", CRIUVersion: "4.2.1",
		OpenFiles: 1048576, NrOpen: 1048576,
		CgroupVersion: 2, IOUringDisabled: "0",
	}
}

func check(t *testing.T, facts Facts, cfg *config.AgentConfiguration, name string) Result {
	t.Helper()
	for _, r := range Run(facts, cfg) {
		if r.Check == name {
			return r
		}
	}
	t.Fatalf("no check %q", name)
	return Result{}
}

func TestAnAbleNodePassesEverything(t *testing.T) {
	results := Run(able(), config.Default())
	if len(results) != len(rules) {
		t.Errorf("%d of %d rules ran", len(results), len(rules))
	}
	for _, r := range results {
		if !r.Passed || r.Says == "" || r.Fix != "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestRules(t *testing.T) {
	broken := errors.New("it is broken")
	for name, tc := range map[string]struct {
		check  string
		change func(*Facts)
		says   string // part of the sentence
		fix    string // part of the advice; empty: the check passes
	}{
		"arm64":                         {"arch", func(f *Facts) { f.Arch = "arm64" }, "the node is arm64", "daemonset.nodeSelector"},
		"storage":                       {"storage", func(f *Facts) { f.Storage = broken }, "/checkpoints cannot be written to: it is broken", "storage.pvc.name"},
		"another kubelet's folder":      {"kubelet", func(f *Facts) { f.Kubelet = broken }, "no kubelet answers", "node.kubeletRoot"},
		"no profile":                    {"seccomp", func(f *Facts) { f.Seccomp = broken }, "it is broken", "seccomp.deploy=false"},
		"oldest kernel":                 {"kernel", func(f *Facts) { f.Kernel = "5.15.0-119-generic" }, "5.15.0-119", ""},
		"kernel too old":                {"kernel", func(f *Facts) { f.Kernel = "5.14.0-427.el9.x86_64" }, "too old", "at least 5.15"},
		"kernel without a name":         {"kernel", func(f *Facts) { f.Kernel = "" }, "not understood", "at least 5.15"},
		"cgroup 1":                      {"cgroup", func(f *Facts) { f.CgroupVersion = 1 }, "version 1", ""},
		"no cgroup":                     {"cgroup", func(f *Facts) { f.CgroupVersion = 0 }, "no cgroups", "mount them"},
		"few files":                     {"open-files", func(f *Facts) { f.OpenFiles = 1024 }, "may have 1024", "LimitNOFILE"},
		"io_uring by profile":           {"io-uring", func(*Facts) {}, "blocked for pods with the seccomp profile", ""},
		"io_uring by sysctl":            {"io-uring", func(f *Facts) { f.IOUringDisabled = "2"; f.Seccomp = broken }, "off on the node", ""},
		"io_uring, profile astray":      {"io-uring", func(f *Facts) { f.Kubelet = broken }, "may use io_uring", "seccomp.deploy=true"},
		"io_uring for some":             {"io-uring", func(f *Facts) { f.IOUringDisabled = "1"; f.Seccomp = broken }, "may use io_uring", "kernel.io_uring_disabled=2"},
		"no CRIU":                       {"criu", func(f *Facts) { f.CRIU = broken; f.CRIUVersion = "" }, "no checkpoints can be taken: it is broken", "CRIU 4.1 or newer"},
		"old CRIU":                      {"criu", func(f *Facts) { f.CRIUVersion = "3.17.1" }, "too old", "CRIU 4.1 or newer"},
		"CRIU 4.1 on an older kernel":   {"criu", func(f *Facts) { f.CRIUVersion = "4.1.1" }, "CRIU is 4.1.1", ""},
		"CRIU 4.1 on Linux 6.16":        {"criu", func(f *Facts) { f.CRIUVersion = "4.1.1"; f.Kernel = "6.16.0" }, "too old for the kernel 6.16.0", "CRIU 4.2 or newer"},
		"CRIU 4.2 on Linux 7":           {"criu", func(f *Facts) { f.Kernel = "7.0.0" }, "CRIU is 4.2.1", ""},
		"CRIU of an unheard-of version": {"criu", func(f *Facts) { f.CRIUVersion = "" }, "not understood", "CRIU 4.1 or newer"},
	} {
		t.Run(name, func(t *testing.T) {
			facts := able()
			tc.change(&facts)
			got := check(t, facts, config.Default(), tc.check)
			if !strings.Contains(got.Says, tc.says) || !strings.Contains(got.Fix, tc.fix) || got.Passed != (tc.fix == "") {
				t.Errorf("got %+v, want says %q, fix %q", got, tc.says, tc.fix)
			}
		})
	}
}

func TestWithoutTheProfileItsChecksAreLeftOut(t *testing.T) {
	cfg := config.Default()
	cfg.Seccomp.Deploy = false
	facts := able()
	facts.Seccomp, facts.Kubelet = errors.New("not looked at"), errors.New("not looked at")
	results := Run(facts, cfg)
	if len(results) != len(rules)-2 || !Ready(results) {
		t.Errorf("got %+v", results)
	}
	if check(t, facts, cfg, "io-uring").Passed {
		t.Error("io_uring passes although nothing blocks it")
	}
}

func TestOnlyRequiredChecksDecideReadiness(t *testing.T) {
	facts := able()
	facts.CRIU, facts.Kernel = errors.New("missing"), "4.4.0"
	if !Ready(Run(facts, config.Default())) {
		t.Error("not ready because of what only checkpoints need")
	}
	facts.Storage = errors.New("read-only file system")
	if Ready(Run(facts, config.Default())) {
		t.Error("ready although the storage cannot be written to")
	}
}

func TestPrinted(t *testing.T) {
	facts := able()
	facts.CRIU = errors.New("criu is not on the agent's PATH")
	results := Run(facts, config.Default())

	var table bytes.Buffer
	if err := WriteTable(&table, results); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(table.String()), "\n")
	if len(lines) != 1+len(results)+1 || !strings.HasPrefix(lines[len(lines)-2], "criu        FAIL    no        there is no usable CRIU") {
		t.Errorf("got\n%s", table.String())
	}

	var raw bytes.Buffer
	if err := WriteJSON(&raw, results); err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Ready  bool
		Checks []map[string]any
	}
	if err := json.Unmarshal(raw.Bytes(), &parsed); err != nil {
		t.Fatal(err)
	}
	last := parsed.Checks[len(parsed.Checks)-1]
	if !parsed.Ready || last["check"] != "criu" || last["passed"] != false || last["fix"] == nil {
		t.Errorf("got %s", raw.String())
	}
}

// TestWhoTakesCheckpointsNeedsCRIU: an agent that serves no namespace does not.
func TestWhoTakesCheckpointsNeedsCRIU(t *testing.T) {
	for namespace, want := range map[string]bool{"": false, "team-a": true} {
		cfg := config.Default()
		cfg.Agent.TargetNamespace = namespace
		for _, r := range Run(Facts{}, cfg) {
			if (r.Check == "criu" || r.Check == "kernel" || r.Check == "cgroup") && r.Required != want {
				t.Errorf("namespace %q: %s is required: %t", namespace, r.Check, r.Required)
			}
		}
	}
}
