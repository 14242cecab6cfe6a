package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/configfile"
)

// APIVersion and Kind are what a file of this type must declare.
const (
	APIVersion = "operator.config.dynamo.nvidia.com/v1alpha1"
	Kind       = "OperatorConfiguration"
)

// Discovery backends.
const (
	DiscoveryKubernetes = "kubernetes"
	DiscoveryEtcd       = "etcd"
)

// Off is the bind address that means that nothing listens.
const Off = "0"

// OperatorConfiguration is the whole file. The package documentation shows
// every field with its default.
type OperatorConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	Namespace      Namespace      `json:"namespace"`
	LeaderElection LeaderElection `json:"leaderElection"`
	Server         Server         `json:"server"`
	Discovery      Discovery      `json:"discovery"`
	Infrastructure Infrastructure `json:"infrastructure"`
	Ingress        Ingress        `json:"ingress"`
	RBAC           RBAC           `json:"rbac"`
	Platform       Platform       `json:"platform"`
	Components     Components     `json:"components"`
	Profiling      Profiling      `json:"profiling"`
	Checkpoint     Checkpoint     `json:"checkpoint"`
	Orchestrators  Orchestrators  `json:"orchestrators"`
	Logging        Logging        `json:"logging"`
}

// Namespace says which namespaces the operator serves.
type Namespace struct {
	// Restricted is the one namespace to serve; empty means the cluster.
	Restricted string `json:"restricted"`
	Scope      Scope  `json:"scope"`
}

// Scope times the Lease by which a restricted operator claims its namespace.
type Scope struct {
	LeaseDuration      metav1.Duration `json:"leaseDuration"`
	LeaseRenewInterval metav1.Duration `json:"leaseRenewInterval"`
}

// LeaderElection lets several replicas run while one of them acts.
type LeaderElection struct {
	Enabled   bool   `json:"enabled"`
	ID        string `json:"id"`
	Namespace string `json:"namespace"`
}

// Server holds the listeners of the process.
type Server struct {
	Metrics     Metrics     `json:"metrics"`
	HealthProbe HealthProbe `json:"healthProbe"`
	Profile     Profile     `json:"profile"`
	Webhook     Webhook     `json:"webhook"`
}

// Metrics is the Prometheus endpoint.
type Metrics struct {
	BindAddress string `json:"bindAddress"`
	Secure      bool   `json:"secure"`
}

// HealthProbe is the listener of /healthz and /readyz.
type HealthProbe struct {
	BindAddress string `json:"bindAddress"`
}

// Profile is the listener of Go's profiles of the process, /debug/pprof/.
type Profile struct {
	BindAddress string `json:"bindAddress"`
}

// Discovery says how a graph's components find one another.
type Discovery struct {
	Backend string `json:"backend"`
}

// Infrastructure holds addresses handed to every main container.
type Infrastructure struct {
	NATSAddress        string `json:"natsAddress"`
	EtcdAddress        string `json:"etcdAddress"`
	ModelExpressURL    string `json:"modelExpressURL"`
	PrometheusEndpoint string `json:"prometheusEndpoint"`
}

// RBAC names the ClusterRoles bound on behalf of graphs.
type RBAC struct {
	PlannerClusterRoleName       string `json:"plannerClusterRoleName"`
	EPPClusterRoleName           string `json:"eppClusterRoleName"`
	DGDRProfilingClusterRoleName string `json:"dgdrProfilingClusterRoleName"`
}

// Profiling is what DynamoGraphDeploymentRequests need.
type Profiling struct {
	// PublisherImage is that of the operator, which hands on what a profiler has
	// found out. Empty: requests are refused.
	PublisherImage string `json:"publisherImage"`
	// ProfilerImage is that of requests that name none. Empty: they must.
	ProfilerImage string `json:"profilerImage"`
}

// Checkpoint is where checkpoints of workers are, and whether there are any.
type Checkpoint struct {
	// Enabled needs agents on the nodes that take and restore them.
	Enabled bool `json:"enabled"`
	// AgentImage is that of the agents. An init container of it brings the program
	// that waits in a pod for what is restored. Needed where Enabled is.
	AgentImage string `json:"agentImage"`
	// SeccompProfile is one that keeps pods from io_uring and is on every node, as a
	// path beneath the kubelet's folder of profiles; "" for none.
	SeccompProfile string `json:"seccompProfile"`
	// BasePath is where agents see what is stored. Pods do not.
	BasePath string `json:"basePath"`
	// MostPerNamespace are kept; more than these go, the oldest first. 0 keeps all.
	MostPerNamespace int `json:"mostPerNamespace"`
}

// Logging controls the operator's own log.
type Logging struct {
	Level string `json:"level"`
}

// Default returns the configuration of an empty file.
func Default() *OperatorConfiguration {
	return &OperatorConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: Kind},
		Namespace: Namespace{Scope: Scope{
			LeaseDuration:      metav1.Duration{Duration: 30 * time.Second},
			LeaseRenewInterval: metav1.Duration{Duration: 10 * time.Second},
		}},
		LeaderElection: LeaderElection{Enabled: true, ID: "dynamo.nvidia.com"},
		Server: Server{
			Metrics:     Metrics{BindAddress: Off, Secure: true},
			HealthProbe: HealthProbe{BindAddress: ":8081"},
			Profile:     Profile{BindAddress: Off},
			Webhook:     defaultWebhook(),
		},
		Discovery:  Discovery{Backend: DiscoveryKubernetes},
		Ingress:    Ingress{HostSuffix: "local", AllowedAnnotationPrefixes: streamingAnnotations()},
		Components: Components{DebuggerImage: "python:3.12-slim"},
		Profiling:  Profiling{ProfilerImage: "nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.0.0"},
		Orchestrators: Orchestrators{
			Grove:           Grove{TerminationDelay: metav1.Duration{Duration: 15 * time.Minute}},
			LeaderWorkerSet: LeaderWorkerSet{Enabled: true}, InferencePool: InferencePool{Enabled: true},
		},
		Checkpoint: Checkpoint{BasePath: "/checkpoints"},
		Logging:    Logging{Level: "info"},
	}
}

// Unknown returns the configuration to judge graphs by whose operator is not
// known: what its administrator decides is allowed.
func Unknown() *OperatorConfiguration {
	cfg := Default()
	cfg.Ingress.AllowedHostSuffixes = []string{anyHost}
	cfg.Ingress.AllowedAnnotationPrefixes = []string{""}
	return cfg
}

// Load reads and validates a configuration file. The error names the file and
// every field that is wrong.
func Load(path string) (*OperatorConfiguration, error) {
	return configfile.Load("operator configuration", path, Parse)
}

// Parse decodes strictly, over the defaults, and validates.
func Parse(data []byte) (*OperatorConfiguration, error) {
	cfg := Default()
	// A file must say itself what it is; only the rest has defaults.
	cfg.TypeMeta = metav1.TypeMeta{}
	if err := configfile.Decode(data, cfg); err != nil {
		return nil, err
	}
	if errs := cfg.validate(); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}
	return cfg, nil
}

// ClusterWide reports whether the operator serves the whole cluster.
func (c *OperatorConfiguration) ClusterWide() bool {
	return c.Namespace.Restricted == ""
}
