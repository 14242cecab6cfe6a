package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// operator is one that runs, with an administrator's rights.
type operator struct {
	process *exec.Cmd
	metrics string
	stop    func()
}

func (b *bench) startOperator(ctx context.Context, namespace string) (*operator, error) {
	address, err := cluster.FindAddress()
	if err != nil {
		return nil, err
	}
	config := filepath.Join(b.dir, namespace+".yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, namespace, address), 0o600); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	process := exec.CommandContext(ctx, filepath.Join(b.dir, "operator"), "--config", config)
	process.Env = append(os.Environ(), "KUBECONFIG="+b.cluster.Kubeconfig)
	if err := process.Start(); err != nil {
		cancel()
		return nil, err
	}
	return &operator{process: process, metrics: address, stop: func() {
		cancel()
		_ = process.Wait() // it was killed, or is stopped already
	}}, nil
}

// peak is the most memory that the operator has had so far, in bytes.
func (o *operator) peak() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		return 0, err
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		return 0, fmt.Errorf("process %d has no memory: it has ended", o.process.Process.Pid)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	return kilobytes << 10, err
}

// awaitLooks waits until the operator has looked so often at objects of a kind.
func (o *operator) awaitLooks(ctx context.Context, kind string, want int) error {
	line := regexp.MustCompile(`controller_runtime_reconcile_total\{controller="` + kind + `",result="[a-z_]+"\} (\d+)`)
	looks := 0
	for began := time.Now(); time.Since(began) < patience && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
		page, err := cluster.Fetch("http://" + o.metrics + "/metrics")
		if err != nil {
			continue // it does not listen yet
		}
		looks = 0
		for _, found := range line.FindAllStringSubmatch(page, -1) {
			n, err := strconv.Atoi(strings.TrimSpace(found[1]))
			if err != nil {
				return err
			}
			looks += n
		}
		if looks >= want {
			return nil
		}
	}
	return fmt.Errorf("%d looks at objects of kind %s, want %d", looks, kind, want)
}
