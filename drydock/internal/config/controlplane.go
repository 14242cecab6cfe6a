package config

import (
	"fmt"
	"path/filepath"
	"strconv"
)

func etcd(p Params) []string {
	client := fmt.Sprintf("https://%s:%d", loopback, p.EtcdPort)
	// A single member has no peers: it listens for them on whichever port is free, and advertises none that works.
	const peerListen, peer = "https://" + loopback + ":0", "https://" + loopback + ":1"
	return []string{
		"--name=" + p.Name,
		"--data-dir=" + filepath.Join(p.Dir, "etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peerListen,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=" + p.Name + "=" + peer,
		"--cert-file=" + p.pki("etcd.crt"),
		"--key-file=" + p.pki("etcd.key"),
		"--client-cert-auth=true",
		"--trusted-ca-file=" + p.pki("etcd-ca.crt"),
		"--peer-cert-file=" + p.pki("etcd.crt"),
		"--peer-key-file=" + p.pki("etcd.key"),
		"--peer-client-cert-auth=true",
		"--peer-trusted-ca-file=" + p.pki("etcd-ca.crt"),
		// A test cluster survives the death of its processes, not that of the machine's power supply; in exchange it is fast.
		"--unsafe-no-fsync=true",
		"--log-level=warn",
	}
}

func apiServer(p Params) []string {
	args := []string{
		"--bind-address=" + p.Address(),
		"--secure-port=" + strconv.Itoa(p.APIPort),
		"--advertise-address=" + p.Address(),
		"--service-cluster-ip-range=" + p.services(),
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--profiling=false",
		fmt.Sprintf("--etcd-servers=https://%s:%d", loopback, p.EtcdPort),
		"--etcd-cafile=" + p.pki("etcd-ca.crt"),
		"--etcd-certfile=" + p.pki("etcd-client.crt"),
		"--etcd-keyfile=" + p.pki("etcd-client.key"),
		"--client-ca-file=" + p.pki("ca.crt"),
		"--tls-cert-file=" + p.pki("kube-apiserver.crt"),
		"--tls-private-key-file=" + p.pki("kube-apiserver.key"),
		"--kubelet-certificate-authority=" + p.pki("ca.crt"),
		"--kubelet-client-certificate=" + p.pki("kubelet-client.crt"),
		"--kubelet-client-key=" + p.pki("kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--requestheader-client-ca-file=" + p.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + p.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + p.pki("front-proxy-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc." + clusterDomain,
		"--service-account-key-file=" + p.pki("sa.pub"),
		"--service-account-signing-key-file=" + p.pki("sa.key"),
		"--audit-policy-file=" + p.file("audit-policy.yaml"),
		"--audit-log-path=" + filepath.Join(p.Dir, "audit.log"),
		"--audit-log-maxsize=100",
		"--audit-log-maxbackup=2",
	}
	if p.APIOnly {
		// An address on loopback cannot be an endpoint, so the Service kubernetes.default stays without one.
		args = append(args, "--endpoint-reconciler-type=none")
	}
	return args
}

func controllerManager(p Params) []string {
	kubeconfig := p.ComponentKubeconfig("kube-controller-manager")
	args := []string{
		"--kubeconfig=" + kubeconfig,
		"--use-service-account-credentials=true",
		"--leader-elect=false",
		// The defaults are meant to spare a shared API server; here they only make the start slower.
		"--kube-api-qps=200",
		"--kube-api-burst=400",
		"--flex-volume-plugin-dir=" + filepath.Join(p.Dir, "flexvolume"),
		"--profiling=false",
		"--root-ca-file=" + p.pki("ca.crt"),
		"--service-account-private-key-file=" + p.pki("sa.key"),
		"--cluster-signing-cert-file=" + p.pki("ca.crt"),
		"--cluster-signing-key-file=" + p.pki("ca.key"),
		"--service-cluster-ip-range=" + p.services(),
	}
	if p.APIOnly {
		return append(args, "--secure-port=0")
	}
	pods := p.Block.Pods()
	return append(args,
		"--bind-address="+loopback,
		"--authentication-kubeconfig="+kubeconfig,
		"--authorization-kubeconfig="+kubeconfig,
		"--allocate-node-cidrs=true",
		"--cluster-cidr="+pods.String(),
		fmt.Sprintf("--node-cidr-mask-size=%d", pods.Bits()),
	)
}

// auditPolicy records who did what to which object, without its content; probes of health are left out.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/version"]
- level: Metadata
`
