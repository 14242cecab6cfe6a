// Package config renders what every component of a cluster is started with. It is pure: parameters in, flags and files out.
package config

import (
	"fmt"
	"path/filepath"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/network"
)

const (
	// apiOnlyServices is the Service range of a cluster without a node; nothing routes to it.
	apiOnlyServices = "10.96.0.0/16"
	apiOnlyAPI      = "10.96.0.1"
	loopback        = "127.0.0.1"
	clusterDomain   = "cluster.local"
)

// Params is all that the configuration of a cluster depends on.
type Params struct {
	Name    string
	Dir     string // the cluster's folder
	APIOnly bool
	GPUs    int
	// Block is the network of a full node; unused when APIOnly.
	Block network.Block

	APIPort, EtcdPort int
}

// Ports of a full node. Its network namespace is its own, so they are Kubernetes' usual ones.
const (
	NodeAPIPort  = 6443
	NodeEtcdPort = 2379
)

// NodeName is the name of the cluster's one node.
func (p Params) NodeName() string { return "drydock-" + p.Name }

// Address is where the API server listens.
func (p Params) Address() string {
	if p.APIOnly {
		return loopback
	}
	return p.Block.Node().Addr().String()
}

// Server is the API server's URL.
func (p Params) Server() string { return fmt.Sprintf("https://%s:%d", p.Address(), p.APIPort) }

// APIServerHosts are the names and addresses that the API server answers to.
func (p Params) APIServerHosts() []string {
	service := apiOnlyAPI
	if !p.APIOnly {
		service = p.Block.API()
	}
	return []string{p.Address(), loopback, service, "localhost",
		"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + clusterDomain}
}

func (p Params) services() string {
	if p.APIOnly {
		return apiOnlyServices
	}
	return p.Block.Services().String()
}

func (p Params) pki(name string) string { return filepath.Join(p.Dir, "pki", name) }

func (p Params) file(name string) string { return filepath.Join(p.Dir, "config", name) }

// ComponentKubeconfig is the kubeconfig that a component acts with.
func (p Params) ComponentKubeconfig(component string) string {
	return p.file(component + ".kubeconfig")
}

// Component is a program of the cluster and how it is started.
type Component struct {
	Name string
	Args []string
	// Path is the program; empty means the one of that name that drydock built.
	Path string
	Env  []string
}

// ControlPlane are the components that every cluster has, in the order in which they start.
func ControlPlane(p Params) []Component {
	return []Component{
		{Name: "etcd", Args: etcd(p)},
		{Name: "kube-apiserver", Args: apiServer(p)},
		{Name: "kube-controller-manager", Args: controllerManager(p)},
	}
}

// Names are the cluster's components in the order in which they start.
func Names(p Params) []string {
	names := []string{"etcd", "kube-apiserver", "kube-controller-manager"}
	if p.APIOnly {
		return names
	}
	names = append(names, "containerd", "kube-scheduler", "coredns", "kube-proxy", "kubelet", "storage-provisioner")
	if p.GPUs > 0 {
		names = append(names, "gpu-device-plugin")
	}
	return names
}

// Files are the configuration files of every cluster's components, by name below the folder "config".
func Files() map[string]string {
	return map[string]string{"audit-policy.yaml": auditPolicy}
}
