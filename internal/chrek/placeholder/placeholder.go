// Package placeholder is the first process of a pod that starts from a checkpoint. It
// waits until the node's agent has put the stored process beside it and says so, and
// is then its init: it reaps, hands signals on, and ends as that process ends. Or it
// becomes the worker's own command, where the agent says so or says nothing.
//
// It runs as the worker would, from a volume, in any image: so it is small, and needs
// nothing but /proc.
package placeholder

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

// Its name (comm) tells agents how far it is; they act on nothing that is called otherwise.
const (
	// Waiting: nobody has put anything into the container.
	Waiting = "chrek-waiting"
	// Begun: files of a checkpoint may be in it, so that its worker starts anew only in
	// another container.
	Begun = "chrek-begun"
)

// What the agent says. Whoever may send a signal in the pod may say it too, which
// gives nothing that a signal to the worker would not.
const (
	// Begin: files of a checkpoint are about to come.
	Begin = syscall.SIGALRM
	// Adopt: the stored process is there, the first of a PID namespace in ours.
	Adopt = syscall.SIGUSR1
	// StartAnew: there is no checkpoint to start from.
	StartAnew = syscall.SIGUSR2
	// Wait: it takes longer; patience begins anew.
	Wait = syscall.SIGCONT
)

// handedOn are the signals that are the worker's business.
var handedOn = []os.Signal{
	syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGALRM,
}

// Run is the whole life; it returns the exit code.
func Run(patience time.Duration, command []string, log io.Writer) int {
	children, signals := make(chan os.Signal, 16), make(chan os.Signal, 16)
	signal.Notify(children, syscall.SIGCHLD)
	signal.Notify(signals, append(handedOn, Wait)...)
	rename(Waiting)

	patient, begun := time.NewTimer(patience), false
	for {
		select {
		case <-children:
			for helper := reap(); helper > 0; helper = reap() {
				continue // what helped a restore is no worker
			}
		case <-patient.C:
			if begun {
				return giveUp(log)
			}
			return become(command, log, fmt.Sprintf("no agent has said anything for %s", patience))
		case s := <-signals:
			switch s {
			case Wait:
				patient.Reset(patience)
			case Begin:
				begun = true
				rename(Begun)
			case StartAnew:
				if begun {
					return giveUp(log)
				}
				return become(command, log, "the agent says so; the pod's condition nvidia.com/Restored has the reason")
			case Adopt:
				if pid := restored("/proc", os.Getpid()); pid > 0 {
					rename("chrek-init")
					return serve(pid, children, signals)
				}
				fmt.Fprintln(log, "chrek: the restored process has ended already")
				return 1
			default:
				if s != syscall.SIGWINCH {
					return 128 + int(s.(syscall.Signal))
				}
			}
		}
	}
}

// giveUp ends the container, since its files are not its image's any more.
func giveUp(log io.Writer) int {
	fmt.Fprintln(log, "chrek: a restore was begun and has not come to its end; the container is to be started again")
	return 1
}

// serve is the init of the restored process until that ends.
func serve(pid int, children, signals <-chan os.Signal) int {
	var status syscall.WaitStatus
	for {
		if done, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil); err == nil && done > 0 {
			if done == pid {
				return exitCode(status)
			}
			continue
		}
		select {
		case <-children:
		case s := <-signals:
			if s != Wait {
				_ = syscall.Kill(pid, s.(syscall.Signal)) // it may be gone, as we will hear
			}
		}
	}
}

func exitCode(status syscall.WaitStatus) int {
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func reap() int {
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
	if err != nil {
		return 0
	}
	return pid
}

// become replaces this process by the worker that starts anew.
func become(command []string, log io.Writer, why string) int {
	fmt.Fprintf(log, "chrek: starting anew: %s\n", why)
	path, err := exec.LookPath(command[0])
	if err == nil {
		signal.Reset()
		err = syscall.Exec(path, command, os.Environ())
	}
	fmt.Fprintf(log, "chrek: %s: %v\n", command[0], err)
	return 127
}

// rename sets the name of the process's first thread, by which the process is shown.
func rename(name string) {
	_ = os.WriteFile("/proc/self/comm", []byte(name), 0) // without it the agent leaves us alone, and patience ends
}
