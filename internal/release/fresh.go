package release

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"helm.sh/helm/v4/pkg/kube"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/resource"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// Before an install, Helm asks for every object and for the history of the
// release. In a namespace that this run has just created there is neither, so
// the answer is given here: it is most of what an install would ask.

// unasked answers reads of the namespaced objects: there are none.
func unasked(objects kube.ResourceList) {
	for _, object := range objects {
		if object.Namespaced() && !madeWithNamespaces(object.Name) {
			object.Client = absent{object.Client}
		}
	}
}

// madeWithNamespaces: Kubernetes puts these into every namespace.
func madeWithNamespaces(name string) bool { return name == "default" || name == "kube-root-ca.crt" }

type absent struct{ resource.RESTClient }

// Get starts a request that is answered with 404 and sent nowhere.
func (a absent) Get() *rest.Request {
	content := rest.ClientContentConfig{
		ContentType: runtime.ContentTypeJSON,
		Negotiator:  runtime.NewClientNegotiator(scheme.Codecs.WithoutConversion(), metav1.SchemeGroupVersion),
	}
	return rest.NewRequestWithClient(&url.URL{}, "", content, &http.Client{Transport: notFound{}}).Verb(http.MethodGet)
}

type notFound struct{}

// RoundTrip implements http.RoundTripper.
func (notFound) RoundTrip(request *http.Request) (*http.Response, error) {
	body, err := json.Marshal(metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound,
		Message: "the namespace has just been created",
	})
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: http.StatusNotFound, Status: http.StatusText(http.StatusNotFound), Request: request,
		Header: http.Header{"Content-Type": {runtime.ContentTypeJSON}}, Body: io.NopCloser(bytes.NewReader(body)),
	}, nil
}
