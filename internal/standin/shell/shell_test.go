package shell

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test binary acts as sh or as another command when it is called by such a
// name, as the image's binary does.
func TestMain(m *testing.M) {
	name := filepath.Base(os.Args[0])
	if command := Commands[name]; command != nil {
		os.Exit(command(os.Args[1:]))
	}
	switch name {
	case "sh":
		os.Exit(Main(os.Args[1:]))
	case "args": // shows what a program was launched with, and its process ID
		fmt.Println(strings.Join(os.Args[1:], "|"))
		os.Exit(0)
	case "pid":
		data, _ := os.Readlink("/proc/self")
		fmt.Println(data)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// programs makes a directory of names for the test binary and puts it in PATH.
func programs(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"sh", "cat", "sleep", "env", "mkdir", "rm", "touch", "args", "pid", "trtllm-llmapi-launch", "true", "false"} {
		if err := os.Symlink(self, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	// python3 is args under another name, and a script for our own shell.
	script := "#!" + filepath.Join(dir, "sh") + "\nexec args \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "python3"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// environ makes programs find each other. Race-detecting builds of them would
// otherwise rest for a second before they end.
func environ(dir string) []string { return []string{"PATH=" + dir, "GORACE=atexit_sleep_ms=0"} }

type result struct {
	stdout, stderr string
	status         int
}

func shell(t *testing.T, env []string, args ...string) result {
	t.Helper()
	dir := programs(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), args...)
	cmd.Env = slices.Concat(env, environ(dir))
	cmd.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exited *exec.ExitError
	if err != nil && !errors.As(err, &exited) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

func TestLaunchAndProbeStrings(t *testing.T) {
	model := []string{"MODEL_PATH=openai/gpt-oss-120b", "ENGINE_ARGS=/opt/dynamo/configs/config.yaml"}
	for name, c := range map[string]struct {
		script string
		env    []string
		want   string
		status int
	}{
		"echo probe":         {script: "echo ok", want: "ok\n"},
		"exit probe":         {script: "exit 0"},
		"failing probe":      {script: "exit 3", status: 3},
		"script":             {script: "python3 client.py", want: "client.py\n"},
		"variables":          {script: "python3 -m dynamo.vllm --model $MODEL_PATH", env: model, want: "-m|dynamo.vllm|--model|openai/gpt-oss-120b\n"},
		"missing variable":   {script: `python3 -m dynamo.vllm --model "${NOPE}"`, want: "-m|dynamo.vllm|--model|\n"},
		"exec":               {script: "exec python3 -m dynamo.vllm", want: "-m|dynamo.vllm\n"},
		"export and and":     {script: "export A=1 && export B=\"$A 2\" && python3 $A \"$B\"", want: "1|1 2\n"},
		"export reaches it":  {script: "export A=1\nsh -c 'echo $A'", want: "1\n"},
		"quotes and JSON":    {script: `python3 --kv-events-config '{"publisher":"zmq","topic":"kv"}'`, want: `--kv-events-config|{"publisher":"zmq","topic":"kv"}` + "\n"},
		"exports, then exec": {script: "set -e\nexport X=a\nmkdir -p d/e\ncd d\nexec python3 $X", want: "a\n"},
		"arithmetic":         {script: `R=1; python3 --node-rank $((R + 1))`, want: "--node-rank|2\n"},
		"launcher":           {script: "trtllm-llmapi-launch args x y", want: "x|y\n"},
		"files":              {script: "touch f && echo hi > f && cat f && rm -f f g && cat f 2>/dev/null", want: "hi\n", status: 1},
		"pipe":               {script: "echo one | cat", want: "one\n"},
		"subshell exec":      {script: "(exec args in); args out", want: "in\nout\n"},
		"or":                 {script: "false || args second", want: "second\n"},
		"last of and fails":  {script: "true && false", status: 1},
		"not found":          {script: "nosuch", status: 127},
		"no program":         {script: "echo x > f; python3 -c 1; exec ./f", want: "-c|1\n", status: 127},
		"function at end":    {script: "f() { echo f; }; f", want: "f\n"},
		"trap at end":        {script: "trap 'echo bye' EXIT; args x", want: "x\nbye\n"},
		"test builtin":       {script: "[ -d . ] && test 1 -lt 2 && echo yes", want: "yes\n"},
		"backslashes": {env: model, script: `python3 -m dynamo.trtllm \
  --model-path "${MODEL_PATH}" \
  --served-model-name "openai/gpt-oss-120b" \
  --extra-engine-args "${ENGINE_ARGS}" \
  --tensor-parallel-size 4
`, want: "-m|dynamo.trtllm|--model-path|openai/gpt-oss-120b|--served-model-name|openai/gpt-oss-120b|--extra-engine-args|/opt/dynamo/configs/config.yaml|--tensor-parallel-size|4\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := shell(t, c.env, "-c", c.script)
			if got.stdout != c.want || got.status != c.status {
				t.Errorf("got %q, status %d (stderr %q); want %q, status %d", got.stdout, got.status, got.stderr, c.want, c.status)
			}
		})
	}
}

func TestArgumentsAfterTheString(t *testing.T) {
	got := shell(t, nil, "-ec", "echo $1 $2; false; echo never", "name", "a", "b")
	if got.stdout != "a b\n" || got.status != 1 {
		t.Errorf("got %+v", got)
	}
	if got := shell(t, nil, "-Z"); got.status != 2 || !strings.Contains(got.stderr, "-Z") {
		t.Errorf("unknown option: got %+v", got)
	}
	if got := shell(t, nil, "-c", "if"); got.status != 2 || got.stderr == "" {
		t.Errorf("syntax error: got %+v", got)
	}
}

// The kubelet signals the container's first process only, so the last command
// has to be that process.
func TestLastCommandReplacesTheShell(t *testing.T) {
	dir := programs(t)
	for script, replaced := range map[string]bool{
		"pid":                     true,
		"export A=1 && exec pid":  true,
		"true; pid":               true,
		"pid; true":               false,
		"pid | cat":               false,
		"trap 'true' EXIT; pid":   false,
		"sleep 0 & pid; wait":     false,
		"pid > out; cat out":      false,
		"f() { pid; }; f":         false,
		"{ echo -n; pid; }":       true,
		"echo -n && pid || false": false,
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), "-c", script)
		cmd.Env, cmd.Dir = environ(dir), t.TempDir()
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%q: %v", script, err)
			continue
		}
		shellPID := cmd.Process.Pid
		if got := strings.TrimSpace(string(out)) == strconv.Itoa(shellPID); got != replaced {
			t.Errorf("%q: the program had the shell's process ID: %v, want %v", script, got, replaced)
		}
	}
}

func TestTerminationReachesTheChild(t *testing.T) {
	dir := programs(t)
	for _, script := range []string{"echo up; sleep 1h; echo never", "echo up; sleep 1h"} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "sh"), "-c", script)
		cmd.Env = environ(dir)
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 3)
		if _, err := stdout.Read(line); err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		err = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitTerminated && code != -1 {
			t.Errorf("%q: exit status %d, %v", script, code, err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%q: took %s to end", script, took)
		}
	}
}

func TestSleepTime(t *testing.T) {
	for text, want := range map[string]time.Duration{"1": time.Second, "0.5": 500 * time.Millisecond, "2m": 2 * time.Minute, "1 1h": time.Hour + time.Second} {
		if got, err := sleepTime(strings.Fields(text)); err != nil || got != want {
			t.Errorf("sleep %s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "x", "-1"} {
		if _, err := sleepTime(strings.Fields(text)); err == nil {
			t.Errorf("sleep %q: no error", text)
		}
	}
}
