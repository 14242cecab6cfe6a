package criu

import (
	"fmt"
	"strconv"

	"github.com/checkpoint-restore/go-criu/v8/rpc"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

// key is what a checkpoint calls the i-th mount that the pod provides. The points
// themselves may have characters that CRIU takes for its own.
func key(i int) string { return "m" + strconv.Itoa(i) }

// dumpOptions leave a process as it is. CRIU runs in the pod's network, UTS and IPC
// namespaces, so that nothing of them is stored.
func dumpOptions(cfg config.CRIU, pid int, dir string, points []string) *rpc.CriuOpts {
	opts := common(cfg, dir)
	opts.Pid = new(int32(pid))
	opts.LeaveRunning = new(cfg.LeaveRunning)
	opts.TcpSkipInFlight = new(cfg.SkipInFlight)
	opts.GhostLimit = new(cfg.GhostLimit)
	opts.AutoDedup = new(cfg.AutoDedup)
	for i, point := range points {
		opts.External = append(opts.External, fmt.Sprintf("mnt[%s]:%s", point, key(i)))
	}
	return opts
}

// restoreOptions put a process into the tree at root.
func restoreOptions(cfg config.CRIU, dir, root string, points []string) *rpc.CriuOpts {
	opts := common(cfg, dir)
	opts.Root = new(root)
	for i, point := range points {
		opts.External = append(opts.External, fmt.Sprintf("mnt[%s]:%s", key(i), root+point))
	}
	return opts
}

func common(cfg config.CRIU, dir string) *rpc.CriuOpts {
	return &rpc.CriuOpts{
		ImagesDirFd: new(int32(-1)), ImagesDir: new(dir),
		LogLevel: new(int32(cfg.LogLevel)), LogFile: new(logFile),
		// The kubelet owns the cgroups, and a pod's network is not ours to lock.
		ManageCgroups: new(true), ManageCgroupsMode: new(rpc.CriuCgMode_IGNORE),
		NetworkLock: new(rpc.CriuNetworkLockMethod_SKIP),
		TcpClose:    new(cfg.TCPClose), TcpEstablished: new(cfg.TCPEstablished),
		ExtUnixSk: new(cfg.ExtUnixSk), FileLocks: new(cfg.FileLocks),
		LinkRemap: new(cfg.LinkRemap), OrphanPtsMaster: new(cfg.OrphanPtsMaster),
	}
}
