package shell

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// termination is the shell's readiness to be told to end.
type termination struct {
	ctx  context.Context // ends with the first SIGTERM or SIGINT
	stop context.CancelFunc
	late chan os.Signal
}

func awaitTermination() *termination {
	t := &termination{late: make(chan os.Signal, 1)}
	signal.Notify(t.late, syscall.SIGTERM, syscall.SIGINT)
	t.ctx, t.stop = signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	return t
}

// release gives the signals their default effect again and tells whether one
// came before. A signal is never lost in between: the second Stop is the one
// that disables them, and it first delivers what is under way.
func (t *termination) release() (told bool) {
	t.stop()
	signal.Stop(t.late)
	return t.told()
}

func (t *termination) told() bool { return len(t.late) > 0 }
