package shell

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Commands are the programs beside sh that launch scripts and probes call, by
// name. Each takes the arguments after its name and returns an exit status.
var Commands = map[string]func(args []string) int{
	"cat":      failing("cat", cat),
	"echo":     failing("echo", echo),
	"env":      failing("env", env),
	"false":    func([]string) int { return 1 },
	"hostname": failing("hostname", hostname),
	"mkdir":    failing("mkdir", mkdir),
	"rm":       failing("rm", rm),
	"sleep":    sleep,
	"touch":    failing("touch", touch),
	"true":     func([]string) int { return 0 },
	// The real launcher starts an MPI-aware server and then runs the rest.
	"trtllm-llmapi-launch": failing("trtllm-llmapi-launch", func(args []string) error { return Become(args, os.Environ()) }),
}

func failing(name string, command func([]string) error) func([]string) int {
	return func(args []string) int {
		if err := command(args); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			return 1
		}
		return 0
	}
}

// Become replaces this process by a program found in PATH. It returns only on failure.
func Become(args, environ []string) error {
	if len(args) == 0 {
		return errors.New("no command given")
	}
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, args, environ))
}

func cat(args []string) error {
	if len(args) == 0 {
		args = []string{"-"}
	}
	for _, name := range args {
		if err := catFile(name); err != nil {
			return err
		}
	}
	return nil
}

func catFile(name string) error {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	_, err := io.Copy(os.Stdout, in)
	return err
}

func echo(args []string) error {
	_, err := fmt.Println(strings.Join(args, " "))
	return err
}

// env prints the environment, or runs `env NAME=VALUE... COMMAND`.
func env(args []string) error {
	environ := os.Environ()
	for len(args) > 0 && strings.Contains(args[0], "=") {
		environ = append(environ, args[0])
		args = args[1:]
	}
	if len(args) > 0 {
		return Become(args, environ)
	}
	slices.Sort(environ)
	_, err := fmt.Println(strings.Join(environ, "\n"))
	return err
}

func hostname([]string) error {
	name, err := os.Hostname()
	if err == nil {
		_, err = fmt.Println(name)
	}
	return err
}

func mkdir(args []string) error {
	flags := flag.NewFlagSet("mkdir", flag.ContinueOnError)
	parents := flags.Bool("p", false, "make parents too")
	if err := flags.Parse(args); err != nil {
		return err
	}
	create := os.Mkdir
	if *parents {
		create = os.MkdirAll
	}
	for _, dir := range flags.Args() {
		if err := create(dir, 0o777); err != nil {
			return err
		}
	}
	return nil
}

func rm(args []string) error {
	remove, force := os.Remove, false
	for len(args) > 0 && len(args[0]) > 1 && args[0][0] == '-' {
		if strings.ContainsAny(args[0], "rR") {
			remove = os.RemoveAll
		}
		force = force || strings.Contains(args[0], "f")
		args = args[1:]
	}
	for _, name := range args {
		if filepath.Clean(name) == "/" {
			return errors.New("refusing to remove /")
		}
		if err := remove(name); err != nil && (!force || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

func touch(args []string) error {
	now := time.Now()
	for _, name := range args {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o666)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Close(), os.Chtimes(name, now, now)); err != nil {
			return err
		}
	}
	return nil
}

// sleep waits for the sum of its arguments (seconds, or 5m, 1h, "infinity") and
// ends at once on SIGTERM, also as a container's first process.
func sleep(args []string) int {
	total, err := sleepTime(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "sleep:", err)
		return 1
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	ReapOrphans()
	select {
	case <-ctx.Done():
		return exitTerminated
	case <-time.After(total):
		return 0
	}
}

func sleepTime(args []string) (time.Duration, error) {
	if len(args) == 0 {
		return 0, errors.New("no time given")
	}
	var total time.Duration
	for _, arg := range args {
		if arg == "infinity" {
			return 1<<63 - 1, nil
		}
		if last := arg[max(0, len(arg)-1):]; !strings.ContainsAny(last, "smh") {
			arg += "s"
		}
		d, err := time.ParseDuration(arg)
		if err != nil || d < 0 {
			return 0, fmt.Errorf("%q is not a time", arg)
		}
		total += d
	}
	return total, nil
}
