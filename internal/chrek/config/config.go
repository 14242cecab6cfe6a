package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/configfile"
)

// APIVersion and Kind are what a file of this type must declare.
const (
	APIVersion = "chrek.config.dynamo.nvidia.com/v1alpha1"
	Kind       = "AgentConfiguration"
)

// Signal sources and storage types.
const (
	SignalWatcher = "watcher"
	StoragePVC    = "pvc"
)

// AgentConfiguration is the whole file. The package documentation shows every
// field with its default.
type AgentConfiguration struct {
	metav1.TypeMeta `json:",inline"`

	Agent      Agent      `json:"agent"`
	Node       Node       `json:"node"`
	Seccomp    Seccomp    `json:"seccomp"`
	Storage    Storage    `json:"storage"`
	Checkpoint Checkpoint `json:"checkpoint"`
}

// Agent is about the process itself.
type Agent struct {
	SignalSource string `json:"signalSource"`
	// TargetNamespace is whose pods are checkpointed and restored; empty: nobody's.
	TargetNamespace string `json:"targetNamespace"`
	ListenAddr      string `json:"listenAddr"`
	LogLevel        string `json:"logLevel"`
	// Metrics serves /metrics to whoever reaches the pod.
	Metrics bool `json:"metrics"`
}

// Node says where the agent finds its node's kubelet.
type Node struct {
	KubeletSocket string `json:"kubeletSocket"`
}

// Seccomp is about the profile that checkpointed pods run with.
type Seccomp struct {
	Deploy    bool   `json:"deploy"`
	Directory string `json:"directory"`
}

// Storage says what kind of storage holds the checkpoints, and for how long.
type Storage struct {
	Type string `json:"type"`
	// GracePeriod is how long a checkpoint stays that no DynamoCheckpoint and no pod
	// means any more; 0: for ever.
	GracePeriod metav1.Duration `json:"gracePeriod"`
}

// Checkpoint says where checkpoints are and how they are made.
type Checkpoint struct {
	BasePath         string           `json:"basePath"`
	CRIU             CRIU             `json:"criu"`
	RootfsExclusions RootfsExclusions `json:"rootfsExclusions"`
}

// CRIU holds CRIU's options, named as the chart's values.
type CRIU struct {
	GhostLimit        uint32 `json:"ghostLimit"`
	Timeout           int64  `json:"timeout"`
	LogLevel          int    `json:"logLevel"`
	WorkDir           string `json:"workDir"`
	LibDir            string `json:"libDir"`
	LeaveRunning      bool   `json:"leaveRunning"`
	ShellJob          bool   `json:"shellJob"`
	TCPClose          bool   `json:"tcpClose"`
	TCPEstablished    bool   `json:"tcpEstablished"`
	FileLocks         bool   `json:"fileLocks"`
	OrphanPtsMaster   bool   `json:"orphanPtsMaster"`
	ExtUnixSk         bool   `json:"extUnixSk"`
	LinkRemap         bool   `json:"linkRemap"`
	ExtMasters        bool   `json:"extMasters"`
	ManageCgroupsMode string `json:"manageCgroupsMode"`
	AutoDedup         bool   `json:"autoDedup"`
	LazyPages         bool   `json:"lazyPages"`
	AllowUprobes      bool   `json:"allowUprobes"`
	SkipInFlight      bool   `json:"skipInFlight"`
}

// RootfsExclusions are the paths that a checkpoint of the file system leaves
// out: "./path" from the root, "*/path" at any depth.
type RootfsExclusions struct {
	SystemDirs           []string `json:"systemDirs"`
	CacheDirs            []string `json:"cacheDirs"`
	AdditionalExclusions []string `json:"additionalExclusions"`
}

// Default returns the configuration of an empty file.
func Default() *AgentConfiguration {
	return &AgentConfiguration{
		TypeMeta: metav1.TypeMeta{APIVersion: APIVersion, Kind: Kind},
		Agent:    Agent{SignalSource: SignalWatcher, ListenAddr: ":8080", LogLevel: "info"},
		Node:     Node{KubeletSocket: "/host/pod-resources/kubelet.sock"},
		Seccomp:  Seccomp{Deploy: true, Directory: "/host/seccomp"},
		Storage:  Storage{Type: StoragePVC, GracePeriod: metav1.Duration{Duration: 24 * time.Hour}},
		Checkpoint: Checkpoint{
			BasePath: "/checkpoints",
			CRIU: CRIU{
				GhostLimit: 512 << 20, Timeout: 21600, LogLevel: 4,
				WorkDir: "/var/criu-work", LibDir: "/usr/local/lib/criu",
				LeaveRunning: true, ShellJob: true, TCPClose: true, FileLocks: true,
				OrphanPtsMaster: true, ExtUnixSk: true, LinkRemap: true, ExtMasters: true,
				ManageCgroupsMode: "ignore", AllowUprobes: true, SkipInFlight: true,
			},
			RootfsExclusions: RootfsExclusions{
				SystemDirs:           []string{"./proc", "./sys", "./dev"},
				CacheDirs:            []string{"*/.cache/huggingface", "*/__pycache__"},
				AdditionalExclusions: []string{},
			},
		},
	}
}

// Load reads and validates a configuration file. The error names the file and
// every field that is wrong.
func Load(path string) (*AgentConfiguration, error) {
	return configfile.Load("agent configuration", path, Parse)
}

// Parse decodes strictly, over the defaults, and validates.
func Parse(data []byte) (*AgentConfiguration, error) {
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
