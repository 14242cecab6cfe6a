package survey

import (
	"context"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// nodes reads labels, and the runtime from the status.
func (v *survey) nodes(ctx context.Context) error {
	return session.EachPage(ctx, metav1.ListOptions{}, v.Kube.CoreV1().Nodes().List, func(list *corev1.NodeList) error {
		for _, node := range list.Items {
			v.found.Nodes = append(v.found.Nodes, check.Node{
				Name: node.Name, Labels: node.Labels, Runtime: node.Status.NodeInfo.ContainerRuntimeVersion,
			})
		}
		return nil
	})
}

func (v *survey) storageClasses(ctx context.Context) error {
	list, err := v.Kube.StorageV1().StorageClasses().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, class := range list.Items {
		v.found.StorageClasses = append(v.found.StorageClasses, check.StorageClass{
			Name: class.Name, Provisioner: class.Provisioner, Default: isDefault(class),
		})
	}
	return nil
}

func isDefault(class storagev1.StorageClass) bool {
	return class.Annotations["storageclass.kubernetes.io/is-default-class"] == "true"
}

// claims reads the claims of the wanted names, with what they offer.
func (v *survey) claims(ctx context.Context) error {
	for _, name := range v.wanted.Names[check.FactClaims] {
		found, err := v.claimsNamed(ctx, name)
		if err != nil {
			return err
		}
		for _, claim := range found {
			out := check.Claim{Key: fleet.Key{Namespace: claim.Namespace, Name: claim.Name}, Phase: string(claim.Status.Phase)}
			for _, mode := range claim.Spec.AccessModes {
				out.Modes = append(out.Modes, string(mode))
			}
			v.found.Claims = append(v.found.Claims, out)
		}
	}
	return nil
}

func (v *survey) claimsNamed(ctx context.Context, name string) ([]corev1.PersistentVolumeClaim, error) {
	list, err := v.Kube.CoreV1().PersistentVolumeClaims("").List(ctx, withName(name))
	if err == nil {
		return list.Items, nil
	}
	if !apierrors.IsForbidden(err) {
		return nil, err
	}
	var out []corev1.PersistentVolumeClaim
	for _, namespace := range v.wanted.Namespaces {
		list, err := v.Kube.CoreV1().PersistentVolumeClaims(namespace).List(ctx, withName(name))
		if err != nil {
			return nil, err
		}
		out = append(out, list.Items...)
	}
	return out, nil
}

// agents finds the checkpoint agents, whoever installed them.
func (v *survey) agents(ctx context.Context) error {
	list, err := v.Kube.AppsV1().DaemonSets("").List(ctx, metav1.ListOptions{LabelSelector: marks.PartOf + "=" + marks.PartOfChrek})
	if err != nil {
		return err
	}
	for _, set := range list.Items {
		v.found.Agents = append(v.found.Agents, check.Agent{
			Release: releaseIn(&set), NodeSelector: set.Spec.Template.Spec.NodeSelector,
			Wanted: int(set.Status.DesiredNumberScheduled), Ready: int(set.Status.NumberReady),
		})
	}
	return nil
}

// corefile names the zone that CoreDNS answers for.
var corefile = regexp.MustCompile(`(?m)^\s*kubernetes\s+([a-z0-9.-]+)`)

// domain asks CoreDNS' configuration for the DNS domain of Services.
func (v *survey) domain(ctx context.Context) error {
	config, err := v.Kube.CoreV1().ConfigMaps("kube-system").Get(ctx, "coredns", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		v.unknown(check.FactDomain, "the cluster has no ConfigMap kube-system/coredns that tells the domain of its Services")
		return nil
	}
	if err != nil {
		return err
	}
	match := corefile.FindStringSubmatch(config.Data["Corefile"])
	if match == nil {
		v.unknown(check.FactDomain, "ConfigMap kube-system/coredns does not tell the domain of Services")
		return nil
	}
	v.found.Domain = match[1]
	return nil
}
