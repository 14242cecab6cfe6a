package objects

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Claims lists the volume claims that belong to a release by its instance
// label: those of StatefulSets, which outlive it.
func (o *Objects) Claims(ctx context.Context, key fleet.Key) ([]string, error) {
	list, err := o.session.Kube.CoreV1().PersistentVolumeClaims(key.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/instance=" + key.Name,
	})
	if err != nil {
		return nil, o.session.Explain("list volume claims in "+key.Namespace, err)
	}
	var names []string
	for _, claim := range list.Items {
		names = append(names, claim.Name)
	}
	return names, nil
}

// DeleteClaims removes volume claims, and with them their data.
func (o *Objects) DeleteClaims(ctx context.Context, namespace string, names []string) error {
	for _, name := range names {
		err := o.session.Kube.CoreV1().PersistentVolumeClaims(namespace).Delete(ctx, name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return o.session.Explain("delete volume claim "+namespace+"/"+name, err)
		}
	}
	return nil
}
