package rollout

import "strings"

// mark is the sign of a program that keeps an object as it wants it, whoever
// else writes to it.
type mark struct{ owner, reason, look string }

// reconciler finds such a program. A release that one of them steers is theirs,
// even if Helm's annotations name the release that we want.
func reconciler(live *Metadata) (mark, bool) {
	labels, annotations := live.Labels, live.Annotations
	if name := labels["helm.toolkit.fluxcd.io/name"]; name != "" {
		namespace := labels["helm.toolkit.fluxcd.io/namespace"]
		return mark{"Flux HelmRelease " + namespace + "/" + name, "by its label helm.toolkit.fluxcd.io/name", "kubectl -n " + namespace + " get helmrelease " + name}, true
	}
	if name := labels["kustomize.toolkit.fluxcd.io/name"]; name != "" {
		namespace := labels["kustomize.toolkit.fluxcd.io/namespace"]
		return mark{"Flux Kustomization " + namespace + "/" + name, "by its label kustomize.toolkit.fluxcd.io/name", "kubectl -n " + namespace + " get kustomization " + name}, true
	}
	if id := annotations["argocd.argoproj.io/tracking-id"]; id != "" {
		app, _, _ := strings.Cut(id, ":")
		return mark{"Argo CD application " + app, "by its annotation argocd.argoproj.io/tracking-id", "kubectl get applications.argoproj.io -A"}, true
	}
	if app := labels["kapp.k14s.io/app"]; app != "" {
		return mark{"kapp application " + app, "by its label kapp.k14s.io/app", "kapp inspect -a label:kapp.k14s.io/app=" + app}, true
	}
	if owner := labels["olm.owner"]; owner != "" {
		return mark{"OLM " + owner, "by its label olm.owner", "kubectl get csv -A"}, true
	}
	if labels["addonmanager.kubernetes.io/mode"] != "" {
		return mark{"the cluster's add-on manager", "by its label addonmanager.kubernetes.io/mode", ""}, true
	}
	return mark{}, false
}
