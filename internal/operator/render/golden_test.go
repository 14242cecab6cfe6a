package render

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func testConfig() *config.OperatorConfiguration {
	cfg := config.Default()
	cfg.Infrastructure.NATSAddress = "nats://nats.platform.svc:4222"
	cfg.Infrastructure.EtcdAddress = "http://etcd.platform.svc:2379"
	cfg.Ingress.ClassName = "nginx"
	cfg.RBAC.PlannerClusterRoleName = "dynamo-platform-planner"
	cfg.RBAC.EPPClusterRoleName = "dynamo-platform-epp"
	return cfg
}

var pullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}

func TestGolden(t *testing.T) {
	inputs, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, input := range inputs {
		if strings.HasSuffix(input, ".golden.yaml") {
			continue
		}
		name := strings.TrimSuffix(filepath.Base(input), ".yaml")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(input)
			if err != nil {
				t.Fatal(err)
			}
			isGolden(t, name, renderDocuments(t, parseGraph(t, data), Current))
			if fitsGrove(parseGraph(t, data)) == nil {
				isGolden(t, name+".grove", renderForGrove(t, parseGraph(t, data)))
			}
		})
	}
}

func isGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	golden := filepath.Join("testdata", name+".golden.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (update with -update) -want +got:\n%s", golden, diff)
	}
}

// renderForGrove renders what runs a graph through Grove, with the KAI scheduler.
func renderForGrove(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment) []byte {
	t.Helper()
	objects, err := Grove(dgd, testConfig(), Capabilities{Grove: true, KAI: true}, nil, Current)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	write := func(object any) {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(data)
	}
	write(objects.Set)
	for _, exposure := range objects.Exposures {
		write(exposure.Service)
		if exposure.Ingress != nil {
			write(exposure.Ingress)
		}
	}
	return out.Bytes()
}

func parseGraph(t *testing.T, data []byte) *v1alpha1.DynamoGraphDeployment {
	t.Helper()
	dgd := &v1alpha1.DynamoGraphDeployment{}
	if err := yaml.UnmarshalStrict(data, dgd); err != nil {
		t.Fatal(err)
	}
	return dgd
}

// renderDocuments renders a graph and all of its components.
func renderDocuments(t *testing.T, dgd *v1alpha1.DynamoGraphDeployment, version Version) []byte {
	t.Helper()
	var out bytes.Buffer
	write := func(object any) {
		data, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("---\n")
		out.Write(data)
	}
	for _, pvc := range dgd.Spec.PVCs {
		if pvc.Create {
			write(Claim(dgd, pvc))
		}
	}
	objects := Graph(dgd, testConfig(), pullSecrets)
	for _, shared := range objects.Shared {
		write(shared.ServiceAccount)
		write(shared.RoleBinding)
	}
	if a := objects.Access; a != nil {
		write(a.ServiceAccount)
		write(a.Role)
		write(a.RoleBinding)
	}
	picker, err := Picker(dgd)
	if err != nil {
		t.Fatal(err)
	}
	if picker != nil {
		write(picker.Config)
		write(picker.Pool)
	}
	for _, dcd := range Components(dgd, testConfig(), version) {
		rendered, err := Component(owned(dgd, dcd), testConfig())
		if err != nil {
			t.Fatal(err)
		}
		if rendered.LeaderWorkerSet != nil {
			write(rendered.LeaderWorkerSet)
		} else {
			write(rendered.Deployment)
		}
		write(rendered.Service)
		if rendered.Ingress != nil {
			write(rendered.Ingress)
		}
	}
	return out.Bytes()
}

// owned is a component as the API server has it after the graph applied it.
func owned(dgd *v1alpha1.DynamoGraphDeployment, dcd *v1alpha1.DynamoComponentDeployment) *v1alpha1.DynamoComponentDeployment {
	dcd.OwnerReferences = []metav1.OwnerReference{{
		APIVersion: v1alpha1.GroupVersion.String(), Kind: v1alpha1.KindGraphDeployment,
		Name: dgd.Name, UID: "0", Controller: ptr.To(true),
	}}
	return dcd
}
