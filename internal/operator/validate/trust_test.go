package validate

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

func platformConfig() *config.OperatorConfiguration {
	cfg := config.Default()
	cfg.Platform = config.Platform{ServiceAccounts: []string{"the-operator"}, Secrets: []string{"webhook-server-cert"}}
	cfg.Ingress.VirtualServiceGateway = "edge/public"
	cfg.Ingress.AllowedHostSuffixes = []string{"{namespace}.example.com"}
	return cfg
}

// paths of errors, each with the kind of mistake.
func paths(errs field.ErrorList) []string {
	var found []string
	for _, err := range errs {
		found = append(found, err.Field+": "+err.Type.String())
	}
	return found
}

// filled sets every text below a type to one value, with one item in each list
// and one entry in each map.
func filled(value reflect.Value, text string) {
	switch value.Kind() {
	case reflect.String:
		value.SetString(text)
	case reflect.Pointer:
		value.Set(reflect.New(value.Type().Elem()))
		filled(value.Elem(), text)
	case reflect.Slice:
		value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		filled(value.Index(0), text)
	case reflect.Map:
		entry := reflect.New(value.Type().Elem()).Elem()
		filled(entry, text)
		value.Set(reflect.MakeMap(value.Type()))
		value.SetMapIndex(reflect.ValueOf("k").Convert(value.Type().Key()), entry)
	case reflect.Struct:
		for i := range value.NumField() {
			if value.Type().Field(i).IsExported() {
				filled(value.Field(i), text)
			}
		}
	}
}

// Every field of a component that can name a Secret is here: a new one in a
// later version of Kubernetes makes this test fail, and is refused already.
func TestNoFieldNamesASecretOfThePlatform(t *testing.T) {
	const container = ".env[0].valueFrom.secretKeyRef.name .envFrom[0].secretRef.name"
	var want []string
	for _, list := range []string{"containers[0]", "ephemeralContainers[0]", "initContainers[0]", "mainContainer"} {
		for _, end := range strings.Fields(container) {
			want = append(want, "spec.extraPodSpec."+list+end)
		}
	}
	want = append(want, "spec.extraPodSpec.imagePullSecrets[0].name", "spec.envs[0].valueFrom.secretKeyRef.name", "spec.envFromSecret", "spec.ingress.tls.secretName")
	for _, volume := range []string{
		"azureFile.secretName", "cephfs.secretRef.name", "cinder.secretRef.name", "csi.nodePublishSecretRef.name",
		"flexVolume.secretRef.name", "iscsi.secretRef.name", "projected.sources[0].secret.name", "rbd.secretRef.name",
		"scaleIO.secretRef.name", "secret.secretName", "storageos.secretRef.name",
	} {
		want = append(want, "spec.extraPodSpec.volumes[0]."+volume)
	}
	for _, name := range []string{"webhook-server-cert", "sh.helm.release.v1.dynamo-platform.v3", "wheelhouse-inference-v7"} {
		spec := &v1alpha1.DynamoComponentDeploymentSharedSpec{}
		filled(reflect.ValueOf(spec).Elem(), name)
		var got []string
		for _, err := range borrowed(specPath, spec, platformConfig()) {
			got = append(got, err.Field)
		}
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("fields that may not name %s: -want +got:\n%s", name, diff)
		}
	}
}

func TestBorrowedIdentities(t *testing.T) {
	for name, tc := range map[string]struct{ service, want string }{
		"one of one's own":      {"extraPodSpec: {serviceAccountName: mine, imagePullSecrets: [{name: mine}]}", ""},
		"a Secret of a name":    {"envFromSecret: webhook-server-cert-copy", ""},
		"the operator":          {"extraPodSpec: {serviceAccountName: the-operator}", "spec.services[S].extraPodSpec.serviceAccountName: Forbidden: ServiceAccount the-operator belongs to the platform"},
		"by the older name":     {"extraPodSpec: {serviceAccount: the-operator}", "spec.services[S].extraPodSpec.serviceAccount: Forbidden"},
		"the planner":           {"extraPodSpec: {serviceAccountName: planner-serviceaccount}", "is for services of componentType planner"},
		"the endpoint picker":   {"extraPodSpec: {serviceAccountName: epp-serviceaccount}", "is for services of componentType epp"},
		"a planner as such":     {"componentType: planner, extraPodSpec: {serviceAccountName: planner-serviceaccount}", ""},
		"a record of a release": {"envFromSecret: sh.helm.release.v1.dynamo-platform.v1", "spec.services[S].envFromSecret: Forbidden: Secret sh.helm.release.v1.dynamo-platform.v1 belongs to the platform or to Helm"},
	} {
		t.Run(name, func(t *testing.T) {
			errs, _ := Graph(graphFrom(t, "spec: {services: {S: {"+tc.service+"}}}"), platformConfig())
			expect(t, errs, tc.want)
		})
	}
}

func TestReservedMetadata(t *testing.T) {
	for name, tc := range map[string]struct {
		service string
		errs    []string
		warns   []string
	}{
		"one's own":            {service: "labels: {team: a, example.com/x: b}, annotations: {example.com/x: b}"},
		"directives":           {service: `annotations: {nvidia.com/enable-debug-mode: "true", nvidia.com/kai-scheduler-queue: q, nvidia.com/deployment-strategy: Recreate}`},
		"part of the operator": {service: "labels: {app.kubernetes.io/part-of: dynamo-operator}", errs: []string{"spec.services[S].labels[app.kubernetes.io/part-of]: Forbidden"}},
		"another's release":    {service: "annotations: {meta.helm.sh/release-namespace: b}", errs: []string{"spec.services[S].annotations[meta.helm.sh/release-namespace]: Forbidden"}},
		"another selector":     {service: "extraPodMetadata: {labels: {nvidia.com/selector: x}}", errs: []string{"spec.services[S].extraPodMetadata.labels[nvidia.com/selector]: Forbidden"}},
		"another fleet":        {service: "extraPodMetadata: {annotations: {wheelhouse.dev/fleet: x}}", errs: []string{"spec.services[S].extraPodMetadata.annotations[wheelhouse.dev/fleet]: Forbidden"}},
		"on an Ingress":        {service: "ingress: {labels: {app.kubernetes.io/managed-by: Helm}, annotations: {nvidia.com/last-applied-hash: x}}", errs: []string{"spec.services[S].ingress.labels[app.kubernetes.io/managed-by]: Forbidden", "spec.services[S].ingress.annotations[nvidia.com/last-applied-hash]: Forbidden"}},
		"on a pod's claim": {
			service: "extraPodSpec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {labels: {app.kubernetes.io/part-of: x}}, spec: {}}}}]}",
			errs:    []string{"spec.services[S].extraPodSpec.volumes[0].ephemeral.volumeClaimTemplate.metadata.labels[app.kubernetes.io/part-of]: Forbidden"},
		},
		"a restart":       {service: "annotations: {nvidia.com/restartAt: x}", errs: []string{"spec.services[S].annotations[nvidia.com/restartAt]: Forbidden"}},
		"a chart's habit": {service: "labels: {app.kubernetes.io/name: chat, helm.sh/chart: chat-1}", warns: []string{"spec.services[S].labels[app.kubernetes.io/name] is left out", "spec.services[S].labels[helm.sh/chart] is left out"}},
		"of the past":     {service: `annotations: {nvidia.com/enable-stealing-traffic-debug-mode: "true"}`, warns: []string{"spec.services[S].annotations[nvidia.com/enable-stealing-traffic-debug-mode] is left out"}},
		"of the future":   {service: "annotations: {nvidia.com/not-yet: x}", warns: []string{"spec.services[S].annotations[nvidia.com/not-yet] is left out"}},
	} {
		t.Run(name, func(t *testing.T) {
			errs, warnings := Graph(graphFrom(t, "spec: {services: {S: {"+tc.service+"}}}"), platformConfig())
			if diff := cmp.Diff(tc.errs, paths(errs)); diff != "" {
				t.Errorf("errors -want +got:\n%s", diff)
			}
			if len(warnings) != len(tc.warns) {
				t.Fatalf("warnings %q, want %d", warnings, len(tc.warns))
			}
			for i, want := range tc.warns {
				if !strings.HasPrefix(warnings[i], want) {
					t.Errorf("warning %q, want %q", warnings[i], want)
				}
			}
		})
	}
}

func TestComponentOrigin(t *testing.T) {
	const (
		owned    = "{ownerReferences: [{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, name: chat, uid: 1, controller: true}], labels: {nvidia.com/dynamo-graph-deployment-name: chat, app.kubernetes.io/managed-by: dynamo-operator}}"
		orphaned = "{labels: {nvidia.com/dynamo-graph-deployment-name: chat, app.kubernetes.io/managed-by: dynamo-operator}}"
	)
	for name, tc := range map[string]struct {
		old, updated string
		want         []string
	}{
		"by hand":            {"", "{labels: {nvidia.com/dynamo-component: x, app.kubernetes.io/managed-by: Helm}}", nil},
		"as part of a graph": {"", "{labels: {nvidia.com/dynamo-graph-deployment-name: chat}}", []string{"metadata.labels[nvidia.com/dynamo-graph-deployment-name]: Forbidden"}},
		"as the operator's":  {"", "{labels: {app.kubernetes.io/managed-by: dynamo-operator}}", []string{"metadata.labels[app.kubernetes.io/managed-by]: Forbidden"}},
		"as a graph's child": {"", "{ownerReferences: [{apiVersion: nvidia.com/v1alpha1, kind: DynamoGraphDeployment, name: chat, uid: 1}]}", []string{"metadata.ownerReferences[0]: Forbidden"}},
		"edited in a graph":  {owned, owned, nil},
		"let go":             {owned, orphaned, nil},
		"moved":              {orphaned, strings.ReplaceAll(orphaned, "chat", "other"), []string{"metadata.labels[nvidia.com/dynamo-graph-deployment-name]: Forbidden"}},
	} {
		t.Run(name, func(t *testing.T) {
			var old *v1alpha1.DynamoComponentDeployment
			if tc.old != "" {
				old = decode[v1alpha1.DynamoComponentDeployment](t, "metadata: "+tc.old)
			}
			errs := ComponentOrigin(old, decode[v1alpha1.DynamoComponentDeployment](t, "metadata: "+tc.updated))
			if diff := cmp.Diff(tc.want, paths(errs)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestExposed(t *testing.T) {
	for name, tc := range map[string]struct{ ingress, want string }{
		"below the suffix":        {"host: chat", ""},
		"a domain of one's own":   {"host: chat.team-a.example.com", ""},
		"the domain itself":       {"host: team-a.example.com", ""},
		"another's domain":        {"host: chat.team-b.example.com", "spec.services[S].ingress.host: Forbidden: chat.team-b.example.com: the operator's configuration allows hosts below local, team-a.example.com (ingress.allowedHostSuffixes)"},
		"a name that ends so":     {"host: evilteam-a.example.com", "Forbidden"},
		"by the suffix":           {"host: chat, hostSuffix: team-b.example.com", "spec.services[S].ingress.host: Forbidden"},
		"by the prefix":           {"host: local, hostPrefix: 'x.y.'", ""},
		"all hosts":               {"host: '*'", "spec.services[S].ingress.host: Invalid value"},
		"a body's size":           {`host: a, annotations: {nginx.ingress.kubernetes.io/proxy-body-size: 64m}`, ""},
		"a piece of nginx":        {`host: a, annotations: {nginx.ingress.kubernetes.io/server-snippet: x}`, "spec.services[S].ingress.annotations[nginx.ingress.kubernetes.io/server-snippet]: Forbidden: the operator's configuration allows those that begin with nginx.ingress.kubernetes.io/proxy-body-size, "},
		"a name in the DNS":       {`host: a, annotations: {external-dns.alpha.kubernetes.io/hostname: x}`, "Forbidden"},
		"the platform's gateway":  {"host: a, useVirtualService: true, virtualServiceGateway: edge/public", ""},
		"a gateway of one's own":  {"host: a, useVirtualService: true, virtualServiceGateway: team-a/x", ""},
		"an unqualified one":      {"host: a, useVirtualService: true, virtualServiceGateway: x", ""},
		"another's gateway":       {"host: a, useVirtualService: true, virtualServiceGateway: edge/admin", "spec.services[S].ingress.virtualServiceGateway: Forbidden: edge/admin"},
		"all proxies of the mesh": {"host: a, useVirtualService: true, virtualServiceGateway: mesh", "Forbidden: mesh"},
	} {
		t.Run(name, func(t *testing.T) {
			errs, _ := Graph(graphFrom(t, "metadata: {name: chat, namespace: team-a}\nspec: {services: {S: {ingress: {enabled: true, "+tc.ingress+"}}}}"), platformConfig())
			expect(t, errs, tc.want)
		})
	}
	cfg := config.Default()
	cfg.Ingress.AllowedHostSuffixes = []string{"*"}
	errs, _ := Graph(graphFrom(t, "spec: {services: {S: {ingress: {enabled: true, host: chat.example.org}}}}"), cfg)
	expect(t, errs, "")
}

func TestSize(t *testing.T) {
	text := strings.Repeat("x", 100<<10)
	graph := func(services int, envs string, service string) *v1alpha1.DynamoGraphDeployment {
		dgd := graphFrom(t, "spec: {services: {S: {}}}")
		for i := range services {
			s := dgd.Spec.Services["S"].DeepCopy()
			if service != "" && i == services-1 {
				s.Envs = []corev1.EnvVar{{Name: "A", Value: service}}
			}
			dgd.Spec.Services[fmt.Sprintf("S%02d", i)] = s
		}
		if envs != "" {
			dgd.Spec.Envs = []corev1.EnvVar{{Name: "A", Value: envs}}
		}
		return dgd
	}
	for name, tc := range map[string]struct {
		graph *v1alpha1.DynamoGraphDeployment
		want  string
	}{
		"many services":     {graph(24, "", ""), ""},
		"a large text":      {graph(1, text, ""), ""},
		"copied everywhere": {graph(24, text, ""), "spec.envs: Forbidden: the objects of the graph take 5"},
		"in one service":    {graph(2, "", strings.Repeat(text, 6)), "spec.services[S01]: Forbidden: the objects of the graph take 12"},
	} {
		t.Run(name, func(t *testing.T) {
			errs, _ := Graph(tc.graph, config.Default())
			expect(t, errs, tc.want)
			if tc.want != "" && !strings.Contains(errs.ToAggregate().Error(), "1024 KiB is the most") {
				t.Errorf("got %v, want it to name the limit", errs)
			}
		})
	}
	dcd := decode[v1alpha1.DynamoComponentDeployment](t, "metadata: {name: solo}\nspec: {extraPodSpec: {mainContainer: {image: x}}, envs: [{name: A, value: "+strings.Repeat(text, 6)+"}]}")
	errs, _ := Component(dcd, config.Default())
	expect(t, errs, "spec: Forbidden: the objects of the component take 12")
}

// Whatever the text and wherever it stands: an error or none, and no message
// that moves a terminal's cursor.
func TestMessagesCanBePrinted(t *testing.T) {
	for _, text := range []string{"\x1b]52;c;eA==\x07", "a\x00b", "a\n---\nkind: Pod", "a\u202eb", strings.Repeat("x", 64<<10)} {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		filled(reflect.ValueOf(&dgd.Spec).Elem(), text)
		dgd.Name, dgd.Namespace = "chat", "team-a"
		service := dgd.Spec.Services["k"]
		dgd.Spec.Services[text] = service
		service.Labels[text], service.Annotations["meta.helm.sh/"+text] = text, text
		errs, warnings := Graph(dgd, platformConfig())
		if len(errs) == 0 {
			t.Errorf("no error for %.20q everywhere", text)
		}
		for _, message := range append(warnings, errs.ToAggregate().Error()) {
			if i := strings.IndexFunc(message, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r >= 0x202a && r <= 0x202e }); i >= 0 {
				t.Errorf("%.20q reaches a message: %q", text, message[max(0, i-80):i+20])
			}
		}
	}
}

func TestAZeroByteIsRefused(t *testing.T) {
	errs, _ := Graph(graphFrom(t, `spec: {services: {S: {envs: [{name: A, value: "a\0b"}]}}}`), config.Default())
	expect(t, errs, "spec.services[S].envs[0].value: Invalid value")
}

func TestANamespaceByVariable(t *testing.T) {
	_, warnings := Graph(graphFrom(t, "spec: {envs: [{name: DYN_NAMESPACE, value: x}], services: {S: {}}}"), config.Default())
	if len(warnings) != 1 || !strings.HasPrefix(warnings[0], "spec.envs[0].name: DYN_NAMESPACE moves the process alone") {
		t.Errorf("warnings %q, want one about DYN_NAMESPACE", warnings)
	}
}

// The graphs that the renderer has golden files for, and those in the folder
// that the environment variable SAMPLES names, go through as they are.
func TestGraphsAsUsersWriteThem(t *testing.T) {
	folders := []string{filepath.Join("..", "render", "testdata")}
	if samples := os.Getenv("SAMPLES"); samples != "" {
		folders = append(folders, samples)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no graphs in %s: %v", folder, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for document := range strings.SplitSeq(string(data), "\n---") {
				dgd := &v1alpha1.DynamoGraphDeployment{}
				if err := yaml.Unmarshal([]byte(document), dgd); err != nil || dgd.Kind != v1alpha1.KindGraphDeployment {
					continue
				}
				dgd.Namespace = "team-a"
				if errs, _ := Graph(dgd, platformConfig()); len(errs) > 0 {
					t.Errorf("%s: %v", file, errs.ToAggregate())
				}
			}
		}
	}
}
