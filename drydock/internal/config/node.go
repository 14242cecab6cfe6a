package config

import (
	"fmt"
	"path/filepath"
	"strings"
)

// Where the node's own files are. Inside the node's mount namespace these folders are the cluster's own,
// so that pods with hostPath volumes find them where every node has them.
const (
	ContainerdRoot   = "/var/lib/containerd"
	ContainerdState  = "/run/containerd"
	ContainerdSocket = ContainerdState + "/containerd.sock"
	KubeletRoot      = "/var/lib/kubelet"
	CNIConfig        = "/etc/cni/net.d"
	// PauseImage is the sandbox of every pod. It is imported, never pulled.
	PauseImage = "drydock.local/pause:1"
)

// Runtime says where the container runtime's programs are and what the machine allows them.
type Runtime struct {
	Containerd string // path of the program
	CNIPlugins string // folder
	Env        []string
	// RestrictOOMScore is set where the machine forbids to lower a process's OOM score (no CAP_SYS_RESOURCE).
	RestrictOOMScore bool
}

// Containerd is the container runtime.
func Containerd(p Params, r Runtime) Component {
	return Component{Name: "containerd", Path: r.Containerd, Env: r.Env, Args: []string{"--config=" + p.file("containerd.toml")}}
}

// NodeComponents are the components of a full node that need the API server, in the order in which they start.
func NodeComponents(p Params, r Runtime) []Component {
	scheduler := p.ComponentKubeconfig("kube-scheduler")
	components := []Component{
		{Name: "kube-scheduler", Args: []string{
			"--kubeconfig=" + scheduler,
			"--authentication-kubeconfig=" + scheduler,
			"--authorization-kubeconfig=" + scheduler,
			"--bind-address=" + loopback,
			"--leader-elect=false",
			"--profiling=false",
		}},
		{Name: "kubelet", Env: r.Env, Args: []string{
			"--config=" + p.file("kubelet.yaml"),
			"--kubeconfig=" + p.ComponentKubeconfig("kubelet"),
			"--root-dir=" + KubeletRoot,
			"--hostname-override=" + p.NodeName(),
			"--node-ip=" + p.Address(),
			"--node-labels=" + strings.Join(nodeLabels(p.GPUs), ","),
		}},
		{Name: "kube-proxy", Env: r.Env, Args: []string{"--config=" + p.file("kube-proxy.yaml")}},
		{Name: "coredns", Args: []string{"-conf=" + p.file("Corefile")}},
		{Name: "storage-provisioner", Args: []string{
			"--kubeconfig=" + p.ComponentKubeconfig("storage-provisioner"),
			"--provisioner=" + Provisioner,
			"--directory=" + filepath.Join(p.Dir, "volumes"),
		}},
	}
	if p.GPUs == 0 {
		return components
	}
	// Before the kubelet, which refuses pods with GPUs until the plugin is there.
	plugin := Component{Name: "gpu-device-plugin", Args: []string{fmt.Sprintf("--count=%d", p.GPUs)}}
	return append([]Component{plugin}, components...)
}

// nodeLabels are what NVIDIA's GPU feature discovery puts on a node with H100 cards.
func nodeLabels(gpus int) []string {
	if gpus == 0 {
		return nil
	}
	return []string{
		"feature.node.kubernetes.io/pci-10de.present=true",
		"nvidia.com/cuda.driver.major=580",
		"nvidia.com/cuda.driver.minor=95",
		"nvidia.com/cuda.driver.rev=05",
		"nvidia.com/cuda.runtime.major=13",
		"nvidia.com/cuda.runtime.minor=0",
		"nvidia.com/gpu.compute.major=9",
		"nvidia.com/gpu.compute.minor=0",
		fmt.Sprintf("nvidia.com/gpu.count=%d", gpus),
		"nvidia.com/gpu.family=hopper",
		"nvidia.com/gpu.memory=81559",
		"nvidia.com/gpu.present=true",
		"nvidia.com/gpu.product=NVIDIA-H100-80GB-HBM3",
		"nvidia.com/gpu.replicas=1",
		"nvidia.com/gpu.sharing-strategy=none",
		"nvidia.com/mig.capable=true",
		"nvidia.com/mig.strategy=none",
	}
}

// NodeFiles are the configuration files of a full node's components, by name.
func NodeFiles(p Params, r Runtime) map[string]string {
	return map[string]string{
		"containerd.toml":     containerdConfig(r),
		"10-drydock.conflist": cniConfig(p),
		"kubelet.yaml":        kubeletConfig(p),
		"kube-proxy.yaml":     proxyConfig(p),
		"Corefile":            corefile(p),
		"resolv.conf":         fmt.Sprintf("nameserver %s\n", p.Block.DNS()),
	}
}

func containerdConfig(r Runtime) string {
	return fmt.Sprintf(`version = 2
root = %q
state = %q

[grpc]
address = %q

[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = %q
restrict_oom_score_adj = %t
netns_mounts_under_state_dir = true

[plugins."io.containerd.grpc.v1.cri".registry]
config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = %q
conf_dir = %q

[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "runc"

[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false

# What RuntimeClass nvidia asks for: there are no devices to hand over, so it is the same runtime.
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.nvidia.options]
SystemdCgroup = false
`, ContainerdRoot, ContainerdState, ContainerdSocket, PauseImage, r.RestrictOOMScore, r.CNIPlugins, CNIConfig)
}

// hairpinMode lets a pod reach itself through its own Service.
func cniConfig(p Params) string {
	return fmt.Sprintf(`{
  "cniVersion": "1.0.0",
  "name": "drydock",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{"subnet": %q}]],
        "routes": [{"dst": "0.0.0.0/0"}]
      }
    },
    {"type": "portmap", "capabilities": {"portMappings": true}}
  ]
}
`, p.Block.Pods())
}

// kubeletConfig never evicts and never collects images: the disk is the developer's own, and imported images cannot be pulled again.
// The kubelet looks at itself every second, so that new devices show at once; it still reports only changes.
func kubeletConfig(p Params) string {
	return fmt.Sprintf(`apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  webhook: {enabled: true}
  x509: {clientCAFile: %[1]q}
authorization: {mode: Webhook}
tlsCertFile: %[2]q
tlsPrivateKeyFile: %[3]q
containerRuntimeEndpoint: unix://%[4]s
cgroupDriver: cgroupfs
failCgroupV1: false
enforceNodeAllocatable: []
failSwapOn: false
clusterDomain: %[5]s
clusterDNS: [%[6]q]
resolvConf: %[7]q
volumePluginDir: %[8]q
maxPods: 250
nodeStatusUpdateFrequency: 1s
nodeStatusReportFrequency: 5m
oomScoreAdj: 0
serializeImagePulls: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
evictionHard:
  imagefs.available: 0%%
  nodefs.available: 0%%
  nodefs.inodesFree: 0%%
`, p.pki("ca.crt"), p.pki("kubelet.crt"), p.pki("kubelet.key"), ContainerdSocket, clusterDomain, p.Block.DNS(),
		p.file("resolv.conf"), filepath.Join(p.Dir, "flexvolume"))
}

// proxyConfig leaves connection tracking as it is: its limits belong to the whole machine.
func proxyConfig(p Params) string {
	return fmt.Sprintf(`apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clientConnection: {kubeconfig: %q}
hostnameOverride: %s
mode: iptables
clusterCIDR: %s
oomScoreAdj: 0
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
iptables: {minSyncPeriod: 100ms}
`, p.ComponentKubeconfig("kube-proxy"), p.NodeName(), p.Block.Pods())
}

// corefile answers for the cluster and denies every other name at once: a node has no way out of the machine.
// Nothing is cached, so that a Service can be found the moment it exists.
func corefile(p Params) string {
	return fmt.Sprintf(`.:53 {
    bind %s
    errors
    kubernetes %s in-addr.arpa ip6.arpa {
        kubeconfig %s
        pods insecure
        ttl 5
    }
    template ANY ANY {
        rcode NXDOMAIN
    }
}
`, p.Address(), clusterDomain, p.ComponentKubeconfig("coredns"))
}
