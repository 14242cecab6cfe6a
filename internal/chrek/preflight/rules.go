package preflight

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"
)

// rule is one check. It is required if the agent's work depends on it: keeping the
// seccomp profile on the node and the storage usable, and taking checkpoints where it
// serves a namespace.
type rule struct {
	check    string
	required func(*config.AgentConfiguration) bool
	onlyIf   func(*config.AgentConfiguration) bool
	find     func(Facts, *config.AgentConfiguration) finding
}

// finding is a failure if there is something to fix.
type finding struct{ says, fix string }

func pass(format string, args ...any) finding { return finding{says: fmt.Sprintf(format, args...)} }

// rules, in the order in which people read them. A new rule is one more entry.
var rules = []rule{
	{check: "arch", required: always, find: arch},
	{check: "storage", required: always, find: storage},
	{check: "kubelet", required: always, onlyIf: deploysSeccomp, find: kubelet},
	{check: "seccomp", required: always, onlyIf: deploysSeccomp, find: seccompProfile},
	{check: "kernel", required: takesCheckpoints, find: kernel},
	{check: "cgroup", required: takesCheckpoints, find: cgroup},
	{check: "open-files", required: never, find: openFiles},
	{check: "io-uring", required: never, find: ioUring},
	{check: "criu", required: takesCheckpoints, find: criu},
}

func always(*config.AgentConfiguration) bool { return true }
func never(*config.AgentConfiguration) bool  { return false }

func takesCheckpoints(cfg *config.AgentConfiguration) bool { return cfg.Agent.TargetNamespace != "" }

func deploysSeccomp(cfg *config.AgentConfiguration) bool { return cfg.Seccomp.Deploy }

func arch(f Facts, _ *config.AgentConfiguration) finding {
	if f.Arch == "amd64" {
		return pass("the node is amd64")
	}
	return finding{"the node is " + f.Arch + "; checkpoints are supported on amd64 only",
		"keep the agent on amd64 nodes: daemonset.nodeSelector, daemonset.affinity"}
}

func storage(f Facts, cfg *config.AgentConfiguration) finding {
	if f.Storage == nil {
		return pass("%s can be written to", cfg.Checkpoint.BasePath)
	}
	return finding{fmt.Sprintf("%s cannot be written to: %v", cfg.Checkpoint.BasePath, f.Storage),
		"look at the claim storage.pvc.name, its volume and the volume's permissions for the agent: root (NFS: no_root_squash), or user 65532 with seccomp.deploy=false"}
}

func kubelet(f Facts, _ *config.AgentConfiguration) finding {
	if f.Kubelet == nil {
		return pass("the kubelet answers in the folder that the agent was given")
	}
	return finding{fmt.Sprintf("no kubelet answers in the folder that the agent was given, so it would not find the seccomp profile there: %v", f.Kubelet),
		"set node.kubeletRoot to the kubelet's --root-dir"}
}

func seccompProfile(f Facts, _ *config.AgentConfiguration) finding {
	if f.Seccomp == nil {
		return pass("the profile is in the kubelet's seccomp folder")
	}
	return finding{fmt.Sprintf("the profile is not in the kubelet's seccomp folder: %v", f.Seccomp),
		"make the folder seccomp below node.kubeletRoot writable for root, or put the profile there yourself and set seccomp.deploy=false"}
}

// oldestKernel has the mount API that CRIU restores mount namespaces with.
var oldestKernel = version{5, 15}

func kernel(f Facts, _ *config.AgentConfiguration) finding {
	v, ok := parseVersion(f.Kernel)
	switch {
	case !ok:
		return finding{fmt.Sprintf("the kernel's release %q is not understood", f.Kernel), "use a kernel of at least " + oldestKernel.String()}
	case v.before(oldestKernel):
		return finding{"the kernel is " + f.Kernel + ", too old to restore mount namespaces", "use a kernel of at least " + oldestKernel.String()}
	}
	return pass("the kernel is %s", f.Kernel)
}

func cgroup(f Facts, _ *config.AgentConfiguration) finding {
	if f.CgroupVersion == 0 {
		return finding{"no cgroups are mounted at /sys/fs/cgroup", "mount them on the node as its system does at boot"}
	}
	return pass("the node has cgroups of version %d", f.CgroupVersion)
}

func openFiles(f Facts, _ *config.AgentConfiguration) finding {
	if f.OpenFiles >= f.NrOpen {
		return pass("the limit of open files can be raised to fs.nr_open")
	}
	return finding{fmt.Sprintf("CRIU raises its limit of open files to fs.nr_open (%d), and the agent may have %d", f.NrOpen, f.OpenFiles),
		fmt.Sprintf("on the node: raise LimitNOFILE in the systemd unit of the container runtime to %d and restart it", f.NrOpen)}
}

func ioUring(f Facts, cfg *config.AgentConfiguration) finding {
	switch {
	case f.IOUringDisabled == "2":
		return pass("io_uring, which CRIU cannot dump, is off on the node")
	case cfg.Seccomp.Deploy && f.Seccomp == nil && f.Kubelet == nil:
		return pass("io_uring, which CRIU cannot dump, is blocked for pods with the seccomp profile")
	}
	return finding{"pods may use io_uring, which CRIU cannot dump",
		"set seccomp.deploy=true, or on the node: sysctl -w kernel.io_uring_disabled=2 (Linux 6.6 or newer)"}
}

var (
	// oldestCRIU works on kernels since 5.15; releases before it fail on newer ones.
	oldestCRIU = version{4, 1}
	// Since Linux 6.16 TCP sockets have lost options that older CRIU insists on.
	socketKernel = version{6, 16}
	socketCRIU   = version{4, 2}
)

func criu(f Facts, _ *config.AgentConfiguration) finding {
	oldest := oldestCRIU
	if k, ok := parseVersion(f.Kernel); ok && !k.before(socketKernel) {
		oldest = socketCRIU
	}
	fix := fmt.Sprintf("use an agent image with CRIU %s or newer", oldest)
	if f.CRIU != nil {
		return finding{fmt.Sprintf("there is no usable CRIU in the agent's image, so no checkpoints can be taken: %v", f.CRIU), fix}
	}
	v, ok := parseVersion(f.CRIUVersion)
	switch {
	case !ok:
		return finding{fmt.Sprintf("CRIU's version %q is not understood", f.CRIUVersion), fix}
	case v.before(oldest):
		return finding{fmt.Sprintf("CRIU is %s, too old for the kernel %s", f.CRIUVersion, f.Kernel), fix}
	}
	return pass("CRIU is %s", f.CRIUVersion)
}

// version is a major and a minor number.
type version struct{ major, minor int }

func parseVersion(text string) (v version, ok bool) {
	n, _ := fmt.Sscanf(text, "%d.%d", &v.major, &v.minor)
	return v, n == 2
}

func (v version) before(w version) bool {
	return v.major < w.major || v.major == w.major && v.minor < w.minor
}

func (v version) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }
