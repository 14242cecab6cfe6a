package objects

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// Lookup answers what templates look up, as Helm does. Of a kind that the
// cluster does not serve there is nothing: its CRD may be a step of the plan.
func (o *Objects) Lookup(ctx context.Context) chart.Lookup {
	return func(apiVersion, kind, namespace, name string) (map[string]any, error) {
		m, err := o.session.Mapping(apiVersion, kind)
		if meta.IsNoMatchError(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, o.session.Explain("look up "+kind, err)
		}
		var client dynamic.ResourceInterface = o.session.Dynamic.Resource(m.Resource)
		if namespace != "" && m.Scope.Name() == meta.RESTScopeNameNamespace {
			client = o.session.Dynamic.Resource(m.Resource).Namespace(namespace)
		}
		content, err := lookUp(ctx, client, name)
		if apierrors.IsNotFound(err) {
			return map[string]any{}, nil
		}
		if err != nil {
			return nil, o.session.Explain("look up "+kind+" "+name+" for a template", err)
		}
		return content, nil
	}
}

func lookUp(ctx context.Context, client dynamic.ResourceInterface, name string) (map[string]any, error) {
	if name == "" {
		list, err := client.List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		return list.UnstructuredContent(), nil
	}
	object, err := client.Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return object.UnstructuredContent(), nil
}
