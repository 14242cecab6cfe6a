package rendezvous

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: ray start --head --port=PORT
       ray start --address=HOST:PORT --block
       ray health-check --address HOST:PORT
`

// Ray is the program ray, as far as groups are started by it.
func Ray(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := ray(ctx, args); err != nil {
		fmt.Fprintln(os.Stderr, "ray:", err)
		return 1
	}
	return 0
}

func ray(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("no command\n%s", usage)
	}
	flags := map[string]string{}
	for i, arg := range args[1:] {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+2 < len(args) && !strings.HasPrefix(args[i+2], "-") {
			value = args[i+2]
		}
		flags[name] = value
	}
	_, head := flags["--head"]
	switch {
	case args[0] == "health-check":
		_, err := Members(ctx, flags["--address"])
		return err
	case args[0] == "start" && head:
		return startHead(ctx, flags["--port"])
	case args[0] == "start" && flags["--address"] != "":
		// The real one does not wait for a head that is not there either.
		if _, err := Members(ctx, flags["--address"]); err != nil {
			return err
		}
		host, err := os.Hostname()
		if err != nil {
			return err
		}
		return Join(ctx, flags["--address"], host)
	case args[0] == "serve-head":
		return new(Meeting).Serve(ctx, ":"+flags["--port"])
	}
	return fmt.Errorf("%s is not what groups are started by\n%s", strings.Join(args, " "), usage)
}

// startHead leaves a head behind that outlives this process.
func startHead(ctx context.Context, port string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	head := exec.CommandContext(context.WithoutCancel(ctx), self, "ray", "serve-head", "--port="+port)
	head.Args[0] = "standin"
	head.Stderr = os.Stderr
	head.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := head.Start(); err != nil {
		return err
	}
	for {
		if _, err := Members(ctx, "127.0.0.1:"+port); err == nil {
			return head.Process.Release()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(beat / 10):
		}
	}
}
