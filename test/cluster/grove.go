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

// groveModule holds the version of Grove, whose types and definitions are its own.
const groveModule = "test/thirdparty/grove"

var groveKinds = []string{"podcliques", "podcliquescalinggroups", "podcliquesets"}

// Grove is the API of Grove. Its controller is not to be had.
type Grove struct {
	client      client.Client
	definitions []*apiextensionsv1.CustomResourceDefinition
}

// InstallGrove brings Grove's API up until the test ends, or until Remove. The
// client's scheme must know CRDs.
func InstallGrove(t testing.TB, admin client.Client) *Grove {
	t.Helper()
	g := &Grove{client: admin}
	t.Cleanup(func() { g.Remove(t) })
	folder := ModuleFolder(t, groveModule, "github.com/ai-dynamo/grove/operator/api")
	for _, kind := range groveKinds {
		leaving.Delete(kind)
		data, err := os.ReadFile(filepath.Join(folder, "core/v1alpha1/crds", "grove.io_"+kind+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		definition, err := InstallDefinition(admin, data)
		if err != nil {
			t.Fatal(err)
		}
		g.definitions = append(g.definitions, definition)
	}
	return g
}

// Remove takes the API away, with all its objects.
func (g *Grove) Remove(t testing.TB) {
	t.Helper()
	for _, kind := range groveKinds {
		leaving.Store(kind, true)
	}
	for _, definition := range g.definitions {
		if err := g.client.Delete(context.Background(), definition); client.IgnoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	for _, definition := range g.definitions {
		Eventually(t, definition.Name+" is gone", func() error {
			err := g.client.Get(context.Background(), client.ObjectKeyFromObject(definition), definition)
			if apierrors.IsNotFound(err) {
				return nil
			}
			return fmt.Errorf("it is there: %w", err)
		})
	}
	g.definitions = nil
}

// GroveReader returns what Grove's own types make of an object in JSON. It fails
// the test where they do not have one of its fields.
func GroveReader(t testing.TB) func(object string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "grove")
	inModule(t, groveModule, "go", "build", "-o", program, ".")
	return func(object string) string {
		t.Helper()
		return output(t, ".", object, program)
	}
}
