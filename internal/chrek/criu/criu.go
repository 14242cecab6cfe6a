// Package criu takes and restores checkpoints from outside of pods, with CRIU. Each is
// work for processes of their own, since it enters namespaces of the pod: this program
// runs itself as a helper, which is given a request and gives a reply, in JSON.
package criu

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// Helper is the first argument of a helper.
const Helper = "criu-helper"

const program = "/usr/sbin/criu"

// Help is the whole work of a helper.
func Help(name string, in io.Reader, out io.Writer) error {
	switch name {
	case "dump":
		return answer(in, out, dump)
	case "enter":
		return answer(in, out, enterAndRestore)
	case "restore":
		return answer(in, out, restore)
	case "clear":
		return answer(in, out, clearVolumes)
	}
	return fmt.Errorf("there is no helper %q", name)
}

func answer[Q, A any](in io.Reader, out io.Writer, work func(Q) A) error {
	var request Q
	if err := json.NewDecoder(in).Decode(&request); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(work(request))
}

// Dump takes a checkpoint. The process goes on whatever comes of it, also when the
// context ends.
func Dump(ctx context.Context, r DumpRequest) (DumpReply, error) {
	var reply DumpReply
	return reply, ask(ctx, "dump", r, &reply)
}

// Restore restores a checkpoint. Where it fails, or the context ends, files of the
// checkpoint may be in the pod, and what was begun ends with the pod's first process.
func Restore(ctx context.Context, r RestoreRequest) error {
	return askAndFail(ctx, "enter", r)
}

// Clear takes all files out of volumes of the pod of a process.
func Clear(ctx context.Context, pid int, points []string) error {
	r := RestoreRequest{PID: pid}
	for _, point := range points {
		r.Layers = append(r.Layers, Layer{Point: point})
	}
	return askAndFail(ctx, "clear", r)
}

func askAndFail(ctx context.Context, name string, r RestoreRequest) error {
	var reply RestoreReply
	if err := ask(ctx, name, r, &reply); err != nil {
		return err
	}
	return reply.failure()
}

func ask(ctx context.Context, name string, request, reply any) error {
	cmd, err := command(ctx, name)
	if err != nil {
		return err
	}
	// In a group of its own, so that CRIU ends with it.
	cmd.SysProcAttr.Setpgid = true
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = exchange(cmd, request, reply)
	if ctx.Err() != nil {
		return context.Cause(ctx) // what is killed for that says no more
	}
	return err
}

// command is this program as a helper.
func command(ctx context.Context, name string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, Helper, name)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	cmd.WaitDelay = time.Second
	return cmd, nil
}

// Version is CRIU's version, "" if it does not say.
func Version(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, program, "--version").Output()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(out)) {
		if version, ok := strings.CutPrefix(line, "Version:"); ok {
			return strings.TrimSpace(version)
		}
	}
	return ""
}

func exchange(cmd *exec.Cmd, request, reply any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return err
	}
	var out, problems bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(in), &out, &problems
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args[1:], " "), err, bytes.TrimSpace(problems.Bytes()))
	}
	return json.Unmarshal(out.Bytes(), reply)
}
