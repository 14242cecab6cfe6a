package conversion

import (
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

type (
	alphaResult = v1alpha1.DynamoGraphDeploymentRequestStatus
	betaResult  = v1beta1.DynamoGraphDeploymentRequestStatus
)

// alphaRequestRest is what v1beta1 cannot say of a request's status.
type alphaRequestRest struct {
	// State is one that has no phase of its own.
	State            v1alpha1.RequestState             `json:"state,omitempty"`
	Backend          string                            `json:"backend,omitempty"`
	ProfilingResults string                            `json:"profilingResults,omitempty"`
	Deployment       *v1alpha1.RequestDeploymentStatus `json:"deployment,omitempty"`
}

// betaRequestRest is what v1alpha1 cannot say of a request's status. It counts while the phase and the
// graph are those of which it speaks.
type betaRequestRest struct {
	Phase            v1beta1.DGDRPhase               `json:"phase,omitempty"`
	DGDName          string                          `json:"dgdName,omitempty"`
	ProfilingPhase   v1beta1.ProfilingPhase          `json:"profilingPhase,omitempty"`
	ProfilingJobName string                          `json:"profilingJobName,omitempty"`
	Pareto           []v1beta1.ParetoConfig          `json:"pareto,omitempty"`
	NoResult         *v1beta1.ProfilingResultsStatus `json:"noResult,omitempty"`
	DeploymentInfo   *v1beta1.DeploymentInfoStatus   `json:"deploymentInfo,omitempty"`
}

// betaPhase: a request whose graph runs is Deployed, and one that only has a result is Ready.
func betaPhase(a *alphaResult) v1beta1.DGDRPhase {
	switch {
	case a.State == v1alpha1.RequestStateReady && a.Deployment != nil && a.Deployment.Created:
		return v1beta1.DGDRPhaseDeployed
	case a.State == v1alpha1.RequestStateDeploymentDeleted:
		return v1beta1.DGDRPhaseReady
	}
	return v1beta1.DGDRPhase(a.State)
}

func betaRequestStatus(a *alphaResult, kept *betaRequestRest) (*betaResult, *alphaRequestRest) {
	a = a.DeepCopy()
	b := &betaResult{Phase: betaPhase(a), ObservedGeneration: a.ObservedGeneration, Conditions: a.Conditions}
	rest := &alphaRequestRest{Backend: a.Backend, ProfilingResults: a.ProfilingResults}
	if a.State == v1alpha1.RequestStateDeploymentDeleted {
		rest.State = a.State
	}
	if a.Deployment != nil {
		b.DGDName = a.Deployment.Name
		if plain := alphaDeploymentOf(b); !same(plain, a.Deployment) {
			rest.Deployment = a.Deployment
		}
	}
	if a.GeneratedDeployment != nil {
		b.ProfilingResults = &v1beta1.ProfilingResultsStatus{SelectedConfig: a.GeneratedDeployment}
	}
	if kept != nil {
		kept.fill(b)
	}
	return b, rest
}

func (kept *betaRequestRest) fill(b *betaResult) {
	b.ProfilingJobName = kept.ProfilingJobName
	if kept.Phase == b.Phase {
		b.ProfilingPhase = kept.ProfilingPhase
	}
	if kept.DGDName == b.DGDName {
		b.DeploymentInfo = kept.DeploymentInfo
	}
	if b.ProfilingResults == nil {
		b.ProfilingResults = kept.NoResult
	}
	if b.ProfilingResults != nil && b.ProfilingResults.SelectedConfig != nil {
		b.ProfilingResults.Pareto = kept.Pareto
	}
}

func alphaRequestStatus(b *betaResult, kept *alphaRequestRest) (*alphaResult, *betaRequestRest) {
	b = b.DeepCopy()
	a := &alphaResult{
		State: v1alpha1.RequestState(b.Phase), ObservedGeneration: b.ObservedGeneration, Conditions: b.Conditions,
		Deployment: alphaDeploymentOf(b),
	}
	if b.Phase == v1beta1.DGDRPhaseDeployed {
		a.State = v1alpha1.RequestStateReady
	}
	if kept != nil {
		a.Backend, a.ProfilingResults = kept.Backend, kept.ProfilingResults
		if d := kept.Deployment; d != nil && d.Name == b.DGDName {
			a.Deployment = d
		}
		if kept.State == v1alpha1.RequestStateDeploymentDeleted && b.Phase == v1beta1.DGDRPhaseReady {
			a.State = kept.State
		}
		// A graph that the phase denies is not there.
		if a.Deployment != nil && betaPhase(a) != b.Phase {
			a.Deployment.Created = b.Phase == v1beta1.DGDRPhaseDeployed
		}
	}
	rest := &betaRequestRest{ProfilingJobName: b.ProfilingJobName, ProfilingPhase: b.ProfilingPhase, DeploymentInfo: b.DeploymentInfo}
	if rest.ProfilingPhase != "" {
		rest.Phase = b.Phase
	}
	if rest.DeploymentInfo != nil {
		rest.DGDName = b.DGDName
	}
	if r := b.ProfilingResults; r != nil {
		var selected *runtime.RawExtension
		if selected = r.SelectedConfig; selected != nil {
			rest.Pareto = r.Pareto
		} else {
			rest.NoResult = r
		}
		a.GeneratedDeployment = selected
	}
	return a, rest
}

// alphaDeploymentOf is nil without a name, unless the phase says that there is a graph.
func alphaDeploymentOf(b *betaResult) *v1alpha1.RequestDeploymentStatus {
	created := b.Phase == v1beta1.DGDRPhaseDeployed
	if b.DGDName == "" && !created {
		return nil
	}
	return &v1alpha1.RequestDeploymentStatus{Name: b.DGDName, Created: created}
}
