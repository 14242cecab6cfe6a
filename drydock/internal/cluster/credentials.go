package cluster

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/config"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/pki"
	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/state"
)

// credential is a certificate to issue. With kubeconfig set, its holder is a client of the API server and finds it there.
type credential struct {
	file       string
	authority  string
	subject    pki.Subject
	kubeconfig string
}

func credentials(cluster state.Cluster, p config.Params) []credential {
	client := func(component, user string, groups ...string) credential {
		return credential{component, "ca", pki.Subject{User: user, Groups: groups}, p.ComponentKubeconfig(component)}
	}
	loopback := []string{"localhost", "127.0.0.1"}
	list := []credential{
		{"kube-apiserver", "ca", pki.Subject{User: "kube-apiserver", Hosts: p.APIServerHosts()}, ""},
		{"kubelet-client", "ca", pki.Subject{User: "drydock:kubelet-client"}, ""},
		{"front-proxy-client", "front-proxy-ca", pki.Subject{User: "front-proxy-client"}, ""},
		{"etcd", "etcd-ca", pki.Subject{User: "etcd", Hosts: loopback}, ""},
		{"etcd-client", "etcd-ca", pki.Subject{User: "kube-apiserver"}, ""},
		{"admin", "ca", pki.Subject{User: "drydock-admin", Groups: []string{"system:masters"}}, cluster.Kubeconfig()},
		client("kube-controller-manager", "system:kube-controller-manager"),
	}
	if p.APIOnly {
		return list
	}
	kubelet := client("kubelet", "system:node:"+p.NodeName(), "system:nodes")
	kubelet.subject.Hosts = []string{p.NodeName(), p.Address(), "127.0.0.1"}
	return append(list, kubelet,
		client("kube-scheduler", "system:kube-scheduler"),
		client("kube-proxy", "system:kube-proxy"),
		client("coredns", "drydock:coredns"),
		client("storage-provisioner", "drydock:storage-provisioner"),
	)
}

// writeCredentials keeps the cluster's authorities and issues everything else anew.
func writeCredentials(cluster state.Cluster, p config.Params) error {
	dir := cluster.Path("pki")
	authorities := map[string]*pki.Authority{}
	for _, name := range []string{"ca", "front-proxy-ca", "etcd-ca"} {
		authority, err := pki.LoadAuthority(dir, name)
		if err != nil {
			return fmt.Errorf("certificate authority %s: %w", name, err)
		}
		authorities[name] = authority
	}
	for _, wanted := range credentials(cluster, p) {
		if err := wanted.write(dir, authorities[wanted.authority], p); err != nil {
			return fmt.Errorf("certificate %s: %w", wanted.file, err)
		}
	}
	return pki.EnsureSigningKey(dir, "sa")
}

func (c credential) write(dir string, authority *pki.Authority, p config.Params) error {
	pair, err := authority.Issue(c.subject)
	if err != nil {
		return err
	}
	if err := pair.Write(dir, c.file); err != nil {
		return err
	}
	if c.kubeconfig == "" {
		return nil
	}
	content := pki.Kubeconfig("drydock-"+p.Name, p.Server(), authority.PEM, c.subject.User, pair)
	return state.WriteFile(c.kubeconfig, content, 0o600)
}

// writeFiles makes all folders and files that the components read.
func writeFiles(cluster state.Cluster, p config.Params) error {
	for _, dir := range []string{"logs", "pids", "config", "pki", "etcd"} {
		if err := os.MkdirAll(cluster.Path(dir), 0o700); err != nil {
			return err
		}
	}
	for name, content := range config.Files() {
		if err := state.WriteFile(filepath.Join(cluster.Dir, "config", name), []byte(content), 0o644); err != nil {
			return err
		}
	}
	return writeCredentials(cluster, p)
}
