package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Fact names one thing that can be known about a cluster.
type Fact string

// The facts. Secrets, services and claims are looked up by name only.
const (
	FactOperators       Fact = "operators"
	FactInstallations   Fact = "installations"
	FactAPIs            Fact = "apis"
	FactCRDs            Fact = "crds"
	FactNamespaces      Fact = "namespaces"
	FactNodes           Fact = "nodes"
	FactStorageClasses  Fact = "storageClasses"
	FactRuntimeClasses  Fact = "runtimeClasses"
	FactPriorityClasses Fact = "priorityClasses"
	FactIngressClasses  Fact = "ingressClasses"
	FactSecrets         Fact = "secrets"
	FactServices        Fact = "services"
	FactClaims          Fact = "claims"
	FactQueues          Fact = "queues"
	FactWebhooks        Fact = "webhooks"
	FactAgents          Fact = "agents"
	FactGraphs          Fact = "graphs"
	FactDomain          Fact = "domain"
	FactSchemas         Fact = "schemas"
	// FactUpgrades is not asked of the cluster by itself: see Upgrades.
	FactUpgrades Fact = "upgrades"
)

func (f Fact) named() bool { return f == FactSecrets || f == FactServices || f == FactClaims }

// Cluster is what is known about a cluster, read once. Only the facts that the
// rules of a fleet want are filled.
type Cluster struct {
	// Operators are installations of the Dynamo operator.
	Operators []Operator `json:"operators,omitempty"`
	// Installations are other programs that the platform meets.
	Installations []Installation `json:"installations,omitempty"`
	// APIs are the served group versions, such as grove.io/v1alpha1.
	APIs           []string       `json:"apis,omitempty"`
	CRDs           []Definition   `json:"crds,omitempty"`
	Namespaces     []Namespace    `json:"namespaces,omitempty"`
	Nodes          []Node         `json:"nodes,omitempty"`
	StorageClasses []StorageClass `json:"storageClasses,omitempty"`
	// RuntimeClasses, PriorityClasses and IngressClasses are names.
	RuntimeClasses  []string `json:"runtimeClasses,omitempty"`
	PriorityClasses []string `json:"priorityClasses,omitempty"`
	IngressClasses  []string `json:"ingressClasses,omitempty"`
	// Secrets are names; what they hold is not read.
	Secrets  []fleet.Key `json:"secrets,omitempty"`
	Services []fleet.Key `json:"services,omitempty"`
	Claims   []Claim     `json:"claims,omitempty"`
	// Queues are names of KAI's queues.
	Queues   []string  `json:"queues,omitempty"`
	Webhooks []Webhook `json:"webhooks,omitempty"`
	Agents   []Agent   `json:"agents,omitempty"`
	Graphs   []Graph   `json:"graphs,omitempty"`
	// Domain is the DNS domain of Services, such as cluster.local.
	Domain string `json:"domain,omitempty"`
	// Schemas are those of our kinds that the cluster serves, by kind, as its
	// OpenAPI document has them.
	Schemas map[string]map[string]any `json:"schemas,omitempty"`
	// Upgrades are the charts of releases that are to be of other versions.
	Upgrades []Upgrade `json:"upgrades,omitempty"`
	// Unknown says why a fact could not be read.
	Unknown map[Fact]string `json:"unknown,omitempty"`
}

// Foreign is who else is in the cluster: what does not belong to releases of
// the set. It is nil if nobody is.
func (c *Cluster) Foreign(set *fleet.Set) *Cluster {
	ours := map[fleet.Key]bool{}
	for _, rel := range set.Releases {
		ours[rel.Key] = true
	}
	out := &Cluster{
		Operators:     slices.DeleteFunc(slices.Clone(c.Operators), func(o Operator) bool { return ours[o.Release] }),
		Installations: slices.DeleteFunc(slices.Clone(c.Installations), func(i Installation) bool { return ours[i.Release] }),
		CRDs:          slices.DeleteFunc(slices.Clone(c.CRDs), func(d Definition) bool { return ours[d.Release] }),
		Webhooks:      slices.DeleteFunc(slices.Clone(c.Webhooks), func(w Webhook) bool { return ours[w.Release] }),
	}
	if len(out.Operators)+len(out.Installations)+len(out.CRDs)+len(out.Webhooks) == 0 {
		return nil
	}
	return out
}

// Programs that a cluster can have once.
const (
	ProgramGrove = "grove"
	ProgramKAI   = "kai-scheduler"
)

// Installation is a program that a cluster can have once, such as Grove.
type Installation struct {
	// Program is one of the constants above.
	Program string `json:"program"`
	// Release owns it; its name is empty where Helm did not install it.
	Release fleet.Key `json:"release"`
	// Found is the object by which it was recognised.
	Found string `json:"found"`
	// Proven says that a ClusterRoleBinding names its namespace. A Deployment by
	// itself may be anybody's.
	Proven bool `json:"proven,omitempty"`
}

func (i Installation) look() string {
	_, object, _ := strings.Cut(i.Found, " ")
	namespace, name, _ := strings.Cut(object, "/")
	return fmt.Sprintf("kubectl -n %s get deployment %s -o yaml", namespace, name)
}

func (i Installation) String() string {
	if i.Release.Name == "" {
		return "somebody without Helm"
	}
	return "release " + i.Release.String()
}

// Definition is a CRD and who installed it.
type Definition struct {
	Name    string    `json:"name"`
	Release fleet.Key `json:"release,omitzero"`
}

// Namespace is a namespace with its labels.
type Namespace struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
}

// Node is what matters of a node.
type Node struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// Runtime is the container runtime with its version: containerd://2.1.0.
	Runtime string `json:"runtime,omitempty"`
}

// Arch is the processor architecture.
func (n Node) Arch() string { return n.Labels["kubernetes.io/arch"] }

func (n Node) matches(selector map[string]string) bool {
	for key, value := range selector {
		if n.Labels[key] != value {
			return false
		}
	}
	return true
}

// StorageClass is what can be told of a storage class without trying it.
type StorageClass struct {
	Name        string `json:"name"`
	Provisioner string `json:"provisioner"`
	Default     bool   `json:"default,omitempty"`
}

// blockDevices provision volumes that one node at a time can mount.
var blockDevices = []string{
	"ebs.csi.aws.com", "kubernetes.io/aws-ebs", "disk.csi.azure.com", "kubernetes.io/azure-disk", "pd.csi.storage.gke.io",
	"kubernetes.io/gce-pd", "rancher.io/local-path", "kubernetes.io/no-provisioner", "cinder.csi.openstack.org", "topolvm.io",
	"rbd.csi.ceph.com", "driver.longhorn.io/block", "csi.hetzner.cloud", "dobs.csi.digitalocean.com",
}

// OneNode reports whether the class is known to serve one node at a time.
func (s StorageClass) OneNode() bool { return slices.Contains(blockDevices, s.Provisioner) }

// Claim is a volume claim.
type Claim struct {
	fleet.Key
	Modes []string `json:"modes,omitempty"`
	Phase string   `json:"phase,omitempty"`
}

// Webhook is an admission webhook configuration that meets our kinds.
type Webhook struct {
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Release fleet.Key `json:"release,omitzero"`
	// Service receives the requests; empty where a URL does.
	Service fleet.Key `json:"service,omitzero"`
	// ServiceFound reports whether the Service exists.
	ServiceFound bool `json:"serviceFound"`
	// Trusted reports whether a CA bundle is set.
	Trusted bool `json:"trusted"`
	// Fails reports whether requests are refused while nobody answers.
	Fails bool `json:"fails"`
}

// Agent is a DaemonSet of the checkpoint agent.
type Agent struct {
	Release      fleet.Key         `json:"release"`
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
	Wanted       int               `json:"wanted"`
	Ready        int               `json:"ready"`
}

// Graph is what rules ask about a DynamoGraphDeployment.
type Graph struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Queue is the KAI queue that it asks for; empty: the default.
	Queue    string    `json:"queue,omitempty"`
	Services []Service `json:"services,omitempty"`
}

func (g Graph) String() string { return g.Namespace + "/" + g.Name }

// Service is one service of a graph.
type Service struct {
	Name         string            `json:"name"`
	Image        string            `json:"image,omitempty"`
	Nodes        int               `json:"nodes,omitempty"`
	Checkpoint   bool              `json:"checkpoint,omitempty"`
	NodeSelector map[string]string `json:"nodeSelector,omitempty"`
}

// serves reports whether the cluster serves an API group, in any version.
func (c *Cluster) serves(group string) bool {
	return slices.ContainsFunc(c.APIs, func(api string) bool { return strings.HasPrefix(api, group+"/") })
}

func has(keys []fleet.Key, namespace, name string) bool {
	return slices.Contains(keys, fleet.Key{Namespace: namespace, Name: name})
}
