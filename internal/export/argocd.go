package export

import (
	"slices"
	"strconv"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// argoNamespace is where Argo CD and its own objects are.
const argoNamespace = "argocd"

// argoUnpruned keeps a namespace that has left the repository.
var argoUnpruned = map[string]string{"argocd.argoproj.io/sync-options": "Prune=false,Delete=false"}

type application struct {
	typed
	Spec applicationSpec `json:"spec"`
}

type applicationSpec struct {
	Project           string       `json:"project"`
	Destination       destination  `json:"destination"`
	Source            source       `json:"source"`
	SyncPolicy        syncPolicy   `json:"syncPolicy"`
	IgnoreDifferences []difference `json:"ignoreDifferences,omitempty"`
}

type destination struct {
	Server    string `json:"server"`
	Namespace string `json:"namespace"`
}

type source struct {
	RepoURL        string     `json:"repoURL"`
	Chart          string     `json:"chart"`
	TargetRevision string     `json:"targetRevision"`
	Helm           helmSource `json:"helm"`
}

type helmSource struct {
	ReleaseName  string         `json:"releaseName"`
	ValuesObject map[string]any `json:"valuesObject,omitempty"`
}

type syncPolicy struct {
	Automated   automated `json:"automated"`
	SyncOptions []string  `json:"syncOptions"`
}

type automated struct {
	Prune    bool `json:"prune,omitempty"`
	SelfHeal bool `json:"selfHeal"`
}

type difference struct {
	Group             string   `json:"group"`
	Kind              string   `json:"kind"`
	JQPathExpressions []string `json:"jqPathExpressions"`
}

// authorities are fields that an operator or cert-manager fills in after the chart.
var authorities = []difference{
	{"admissionregistration.k8s.io", "MutatingWebhookConfiguration", []string{".webhooks[]?.clientConfig.caBundle"}},
	{"admissionregistration.k8s.io", "ValidatingWebhookConfiguration", []string{".webhooks[]?.clientConfig.caBundle"}},
	{"apiextensions.k8s.io", "CustomResourceDefinition", []string{".spec.conversion.webhook.clientConfig.caBundle"}},
}

// ArgoCD gives an Application for each release.
func ArgoCD(f Fleet) ([]File, error) {
	if err := f.refuse("Argo CD"); err != nil {
		return nil, err
	}
	files, err := f.namespaces(argoUnpruned)
	if err != nil {
		return nil, err
	}
	depths := f.depths()
	for _, target := range f.Targets {
		file, err := newFile(nameOf(target.Key), f.application(target, depths[target.Key]))
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (f Fleet) application(target rollout.Target, depth int) application {
	out := application{
		typed: typed{"argoproj.io/v1alpha1", "Application", metadata{
			Name: nameOf(target.Key), Namespace: argoNamespace, Annotations: map[string]string{"argocd.argoproj.io/sync-wave": strconv.Itoa(depth)},
		}},
		Spec: applicationSpec{
			Project:     "default",
			Destination: destination{Server: "https://kubernetes.default.svc", Namespace: target.Namespace},
			Source: source{
				RepoURL: strings.TrimPrefix(f.Registry, "oci://"), Chart: target.Source.Name(), TargetRevision: target.Source.Version(),
				Helm: helmSource{ReleaseName: target.Name, ValuesObject: values(target)},
			},
			// Definitions outlive whatever is removed here.
			SyncPolicy: syncPolicy{
				Automated:   automated{Prune: !ofCluster(target), SelfHeal: true},
				SyncOptions: []string{"CreateNamespace=true", "ServerSideApply=true"},
			},
			IgnoreDifferences: filledIn(target),
		},
	}
	if len(out.Spec.IgnoreDifferences) > 0 {
		out.Spec.SyncPolicy.SyncOptions = append(out.Spec.SyncPolicy.SyncOptions, "RespectIgnoreDifferences=true")
	}
	return out
}

// filledIn are the authorities of the kinds that a release has, where it does not say
// them itself.
func filledIn(target rollout.Target) (out []difference) {
	for _, authority := range authorities {
		if slices.ContainsFunc(target.Rendered.Objects, func(o chart.Object) bool {
			return o.Kind == authority.Kind && strings.Contains(o.Content, "clientConfig:") && !strings.Contains(o.Content, "caBundle:")
		}) {
			out = append(out, authority)
		}
	}
	return out
}
