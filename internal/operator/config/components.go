package config

import (
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Components holds what the pods of all graphs have in common.
type Components struct {
	// ServiceAccountAnnotations go to the ServiceAccounts that they run as.
	ServiceAccountAnnotations map[string]string `json:"serviceAccountAnnotations"`
	// ImagePullSecrets are names of Secrets in the graphs' namespaces.
	ImagePullSecrets []string `json:"imagePullSecrets"`
	// DebuggerImage is that of the sidecar in debug mode.
	DebuggerImage string `json:"debuggerImage"`
}

// Orchestrators are services of the cluster that the operator works with if
// its configuration says so.
type Orchestrators struct {
	Grove           Grove           `json:"grove"`
	LeaderWorkerSet LeaderWorkerSet `json:"leaderWorkerSet"`
	KAIScheduler    KAIScheduler    `json:"kaiScheduler"`
	InferencePool   InferencePool   `json:"inferencePool"`
}

// Grove runs graphs as gangs of pods.
type Grove struct {
	Enabled bool `json:"enabled"`
	// TerminationDelay is how long a gang may lack pods before Grove ends it; 0
	// leaves it to Grove.
	TerminationDelay metav1.Duration `json:"terminationDelay"`
}

// LeaderWorkerSet runs services over several nodes.
type LeaderWorkerSet struct {
	Enabled bool `json:"enabled"`
}

// InferencePool has gateways ask the endpoint pickers of graphs.
type InferencePool struct {
	Enabled bool `json:"enabled"`
}

// KAIScheduler schedules pods in gangs, out of queues.
type KAIScheduler struct {
	Enabled bool `json:"enabled"`
	// CreateQueues: the operator creates the default queues if they are
	// absent. They belong to the cluster, and so does the right to do it.
	CreateQueues bool `json:"createQueues"`
}

// CreatesQueues reports whether the operator creates the scheduler's queues.
func (c *OperatorConfiguration) CreatesQueues() bool {
	return c.Orchestrators.KAIScheduler.Enabled && c.Orchestrators.KAIScheduler.CreateQueues
}

func (c Components) validate(path *field.Path) field.ErrorList {
	errs := apivalidation.ValidateAnnotations(c.ServiceAccountAnnotations, path.Child("serviceAccountAnnotations"))
	for i, name := range c.ImagePullSecrets {
		errs = append(errs, matches(path.Child("imagePullSecrets").Index(i), name, validation.IsDNS1123Subdomain)...)
	}
	if strings.TrimSpace(c.DebuggerImage) == "" {
		errs = append(errs, field.Required(path.Child("debuggerImage"), "an image with a shell's sleep"))
	}
	return errs
}

func (o Orchestrators) validate(path *field.Path) field.ErrorList {
	if delay := o.Grove.TerminationDelay.Duration; delay < 0 {
		return field.ErrorList{field.Invalid(path.Child("grove", "terminationDelay"), delay.String(), "must not be negative")}
	}
	return nil
}
