package cluster

import (
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
)

// InstallVersions creates our CRDs with all their versions, between which this
// process converts until stop is called, by Convert or around it, and waits until
// they are served.
func InstallVersions(c client.Client, convert http.HandlerFunc) (stop func(), err error) {
	server := httptest.NewTLSServer(convert)
	definitions, err := fs.Glob(charts.FS(), "crds/definitions/*.yaml")
	if err != nil {
		return server.Close, err
	}
	for _, name := range definitions {
		if err := installVersions(c, name, server); err != nil {
			return server.Close, fmt.Errorf("%s: %w", name, err)
		}
	}
	return server.Close, nil
}

func installVersions(c client.Client, name string, server *httptest.Server) error {
	definition, err := fs.ReadFile(charts.FS(), name)
	if err != nil {
		return err
	}
	further, err := fs.ReadFile(charts.FS(), "crds/versions/"+strings.TrimSuffix(path.Base(name), ".yaml")+".v1beta1.yaml")
	if err != nil {
		_, err := InstallDefinition(c, definition) // it has one version
		return err
	}
	crd := &apiextensionsv1.CustomResourceDefinition{}
	var versions []apiextensionsv1.CustomResourceDefinitionVersion
	if err := yaml.Unmarshal(definition, crd); err != nil {
		return err
	}
	if err := yaml.Unmarshal(further, &versions); err != nil {
		return err
	}
	crd.Spec.Versions = append(crd.Spec.Versions, versions...)
	crd.Spec.Conversion = &apiextensionsv1.CustomResourceConversion{
		Strategy: apiextensionsv1.WebhookConverter,
		Webhook: &apiextensionsv1.WebhookConversion{
			ConversionReviewVersions: []string{"v1"},
			ClientConfig: &apiextensionsv1.WebhookClientConfig{
				URL:      ptr.To(server.URL),
				CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}),
			},
		},
	}
	data, err := yaml.Marshal(crd)
	if err != nil {
		return err
	}
	_, err = InstallDefinition(c, data)
	return err
}

// Convert answers an API server that wants objects converted, as the real program does.
func Convert(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err == nil {
		body, err = conversion.Review(body)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	// The only error left is an API server that has gone away.
	_, _ = w.Write(body)
}
