package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const head = "apiVersion: chrek.config.dynamo.nvidia.com/v1alpha1\nkind: AgentConfiguration\n"

// documentedExample is the file shown in the package documentation.
func documentedExample(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var yaml strings.Builder
	for line := range strings.Lines(string(doc)) {
		if example, ok := strings.CutPrefix(line, "//\t"); ok {
			yaml.WriteString(example)
		}
	}
	return yaml.String()
}

func TestTheDocumentedExampleIsTheDefault(t *testing.T) {
	got, err := Parse([]byte(documentedExample(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("the example in doc.go differs from Default() (-default +example):\n%s", diff)
	}
}

func TestParseKeepsWhatTheFileSays(t *testing.T) {
	got, err := Parse([]byte(head + `
agent: {listenAddr: "127.0.0.1:9090", logLevel: debug, targetNamespace: team-a}
seccomp: {deploy: false, directory: ""}
checkpoint:
  basePath: /data/checkpoints
  criu: {tcpClose: false, tcpEstablished: true, libDir: ""}
  rootfsExclusions: {cacheDirs: ["*.pyc"]}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Agent.ListenAddr, want.Agent.LogLevel, want.Agent.TargetNamespace = "127.0.0.1:9090", "debug", "team-a"
	want.Seccomp = Seccomp{}
	want.Checkpoint.BasePath = "/data/checkpoints"
	want.Checkpoint.CRIU.TCPClose, want.Checkpoint.CRIU.TCPEstablished = false, true
	want.Checkpoint.CRIU.LibDir = ""
	want.Checkpoint.RootfsExclusions.CacheDirs = []string{"*.pyc"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"no apiVersion":       {"kind: AgentConfiguration", "apiVersion: Unsupported value"},
		"another kind":        {strings.Replace(head, "AgentConfiguration", "OperatorConfiguration", 1), "kind: Unsupported value"},
		"unknown key":         {head + "checkpoint: {criu: {ghostlimit: 1}}", `unknown field "checkpoint.criu.ghostlimit"`},
		"duplicate key":       {head + "storage: {type: pvc}\nstorage: {type: pvc}", "already set"},
		"http":                {head + "agent: {signalSource: http}", `agent.signalSource: Invalid value: "http": must be "watcher"`},
		"no namespace":        {head + "agent: {targetNamespace: ../team-b}", "agent.targetNamespace: Invalid value"},
		"listen on a number":  {head + `agent: {listenAddr: "8080"}`, "agent.listenAddr: Invalid value"},
		"listen nowhere":      {head + `agent: {listenAddr: ":0"}`, "agent.listenAddr: Invalid value"},
		"log level":           {head + "agent: {logLevel: trace}", "agent.logLevel: Unsupported value"},
		"object storage":      {head + "storage: {type: s3}", `storage.type: Invalid value: "s3": must be "pvc"`},
		"relative base path":  {head + "checkpoint: {basePath: checkpoints}", "checkpoint.basePath: Invalid value"},
		"base path upwards":   {head + "checkpoint: {basePath: /a/../etc}", "checkpoint.basePath: Invalid value"},
		"base path is root":   {head + "checkpoint: {basePath: /}", "checkpoint.basePath: Invalid value"},
		"both TCP modes":      {head + "checkpoint: {criu: {tcpEstablished: true}}", "checkpoint.criu.tcpEstablished: Invalid value: true: contradicts tcpClose"},
		"no ghosts":           {head + "checkpoint: {criu: {ghostLimit: 0}}", "checkpoint.criu.ghostLimit: Invalid value"},
		"too many ghosts":     {head + "checkpoint: {criu: {ghostLimit: 5000000000}}", "ghostLimit"},
		"no time":             {head + "checkpoint: {criu: {timeout: 0}}", "checkpoint.criu.timeout: Invalid value"},
		"CRIU's log level":    {head + "checkpoint: {criu: {logLevel: 5}}", "checkpoint.criu.logLevel: Invalid value"},
		"cgroup mode":         {head + "checkpoint: {criu: {manageCgroupsMode: soft-ish}}", "checkpoint.criu.manageCgroupsMode: Unsupported value"},
		"work dir":            {head + `checkpoint: {criu: {workDir: ""}}`, "checkpoint.criu.workDir: Invalid value"},
		"exclusion, absolute": {head + "checkpoint: {rootfsExclusions: {systemDirs: [./usr, /etc]}}", "checkpoint.rootfsExclusions.systemDirs[1]: Invalid value"},
		"exclusion, upwards":  {head + "checkpoint: {rootfsExclusions: {additionalExclusions: [./a/../..]}}", "checkpoint.rootfsExclusions.additionalExclusions[0]: Invalid value"},
		"exclusion of all":    {head + "checkpoint: {rootfsExclusions: {cacheDirs: [./]}}", "checkpoint.rootfsExclusions.cacheDirs[0]: Invalid value"},
		"no profile folder":   {head + `seccomp: {directory: ""}`, "seccomp.directory: Invalid value"},
		"relative socket":     {head + "node: {kubeletSocket: kubelet.sock}", "node.kubeletSocket: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(head+"agent: {logLevel: loud}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error naming %s", err, path)
	}
	if _, err := Load(path + ".missing"); err == nil || !strings.Contains(err.Error(), "config.yaml.missing") {
		t.Errorf("got %v, want an error naming the missing file", err)
	}
}
