package webhook

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// versionMark writes into a new graph which version of the operator saw it
// first. It goes by the text of the request, so that it changes nothing else.
type versionMark struct {
	serves  func(ctx context.Context, namespace string) (bool, error)
	version string
}

// Handle implements admission.Handler.
func (m *versionMark) Handle(ctx context.Context, request admission.Request) admission.Response {
	served, err := m.serves(ctx, request.Namespace)
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, err)
	}
	if !served {
		return admission.Allowed("")
	}
	graph := &unstructured.Unstructured{}
	if err := graph.UnmarshalJSON(request.Object.Raw); err != nil {
		return admission.Errored(http.StatusBadRequest, fmt.Errorf("read the graph: %w", err))
	}
	annotations := graph.GetAnnotations()
	if _, marked := annotations[v1alpha1.AnnotationOperatorOriginVersion]; marked {
		return admission.Allowed("")
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[v1alpha1.AnnotationOperatorOriginVersion] = m.version
	graph.SetAnnotations(annotations)
	changed, err := graph.MarshalJSON()
	if err != nil {
		return admission.Errored(http.StatusInternalServerError, fmt.Errorf("write the graph: %w", err))
	}
	return admission.PatchResponseFromRaw(request.Object.Raw, changed)
}
