package cluster

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// eppModule holds the version of the Gateway API inference extension, whose types,
// definitions and endpoint picker are its own.
const eppModule = "test/thirdparty/epp"

// InferencePools are its API.
type InferencePools struct {
	client     client.Client
	definition *apiextensionsv1.CustomResourceDefinition
}

// InstallInferencePools brings the API up until the test ends, or until Remove.
// The client's scheme must know CRDs.
func InstallInferencePools(t testing.TB, admin client.Client) *InferencePools {
	t.Helper()
	p := &InferencePools{client: admin}
	t.Cleanup(func() { p.Remove(t) })
	leaving.Delete("inferencepools")
	folder := ModuleFolder(t, eppModule, "sigs.k8s.io/gateway-api-inference-extension")
	data, err := os.ReadFile(filepath.Join(folder, "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if p.definition, err = InstallDefinition(admin, data); err != nil {
		t.Fatal(err)
	}
	return p
}

// Remove takes the API away, with all its objects.
func (p *InferencePools) Remove(t testing.TB) {
	t.Helper()
	if p.definition == nil {
		return
	}
	leaving.Store("inferencepools", true)
	if err := p.client.Delete(context.Background(), p.definition); client.IgnoreNotFound(err) != nil {
		t.Error(err)
	}
	Eventually(t, "the API of InferencePools is gone", func() error {
		err := p.client.Get(context.Background(), client.ObjectKeyFromObject(p.definition), p.definition)
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	p.definition = nil
}

// InferencePoolReader returns what the extension's own type makes of an
// InferencePool in JSON. It fails the test where that lacks one of its fields.
func InferencePoolReader(t testing.TB) func(object string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "types")
	inModule(t, eppModule, "go", "build", "-o", program, "./types")
	return func(object string) string {
		t.Helper()
		return output(t, ".", object, program)
	}
}
