package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUseIsAnsweredWithASentence(t *testing.T) {
	damaged := filepath.Join(t.TempDir(), "state")
	if err := os.MkdirAll(filepath.Join(damaged, "clusters", "bad"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "clusters", "bad", "cluster.json"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	tests := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no such command", []string{"start"}, exitUsage, `there is no command "start"`},
		{"no such flag", []string{"up", "--fast"}, exitUsage, "unknown flag: --fast"},
		{"too many arguments", []string{"down", "x"}, exitUsage, `unexpected argument "x"`},
		{"no archive", []string{"load"}, exitUsage, "want exactly one argument: the archive"},
		{"a name that cannot be one", []string{"up", "--api-only", "--name", "A/B"}, exitFailed, "lower-case letters"},
		{"GPUs without a node", []string{"up", "--api-only", "--gpus", "1"}, exitFailed, "--gpus needs a node"},
		{"half a version", []string{"up", "--api-only", "--kubernetes", "1.29"}, exitFailed, "such as 1.29.15"},
		{"another version of a node", []string{"up", "--kubernetes", "1.29.15"}, exitFailed, "is for --api-only"},
		{"no such cluster", []string{"kubeconfig", "--name", "nobody"}, exitFailed, "make it with: drydock up --name nobody"},
		{"loading into nothing", []string{"load", "x.tar"}, exitFailed, "there is no cluster"},
		{"a wrong image name", []string{"load", "x.tar", "--as", "UPPER"}, exitFailed, "is not an image name"},
		{"a format that is not known", []string{"status", "-o", "xml"}, exitUsage, "use table or json"},
		{"a damaged record", []string{"--state", damaged, "status"}, exitFailed, "drydock down --name bad"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			t.Setenv("DRYDOCK_STATE", empty)
			if code := Run(test.args, &stdout, &stderr); code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			if !strings.Contains(stderr.String(), test.want) {
				t.Errorf("said %q, want %q in it", stderr.String(), test.want)
			}
		})
	}
}

func TestNothingIsThereYet(t *testing.T) {
	t.Setenv("DRYDOCK_STATE", filepath.Join(t.TempDir(), "state"))
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"status"}, "no clusters"},
		{[]string{"status", "-o", "json"}, "[]"},
		{[]string{"down"}, "there is no cluster default"},
		{[]string{"down", "--purge"}, "are gone"},
	} {
		var out bytes.Buffer
		if code := Run(test.args, &out, &out); code != exitOK || !strings.Contains(out.String(), test.want) {
			t.Errorf("%v: exit code %d, said %q", test.args, code, out.String())
		}
	}
}

func TestShellWordsAreQuoted(t *testing.T) {
	for word, want := range map[string]string{"/a b": "'/a b'", "it's": `'it'\''s'`} {
		if got := quote(word); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
