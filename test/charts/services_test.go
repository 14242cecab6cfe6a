package charts

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
)

// complete is the platform with stand-ins of all third-party charts.
func complete(t *testing.T) *chart.Chart {
	t.Helper()
	return withFixtures(t, "nats", "etcd", "kai-scheduler", "grove-charts")
}

func withFixtures(t *testing.T, names ...string) *chart.Chart {
	t.Helper()
	var added []*chart.Chart
	for _, name := range names {
		c, err := chart.Open(filepath.Join(repositoryRoot, "test/thirdparty/charts", name))
		if err != nil {
			t.Fatal(err)
		}
		added = append(added, c)
	}
	c, err := bare(t).With(added)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAddressesAreThoseOfTheServices(t *testing.T) {
	with := complete(t)
	for name, test := range map[string]struct {
		release, values string
		// form is the address around the Service's name, namespace and port.
		natsForm, etcdForm string
	}{
		"by default":                      {values: `{nats: {enabled: true}, etcd: {enabled: true}}`},
		"a release that is called nats":   {release: "my-nats-1", values: `{nats: {enabled: true}, etcd: {enabled: true}}`},
		"a release that is called etcd":   {release: "etcd", values: `{nats: {enabled: true}, etcd: {enabled: true}}`},
		"the longest name":                {release: strings.Repeat("a", 47), values: `{nats: {enabled: true}, etcd: {enabled: true}}`},
		"a Service of another port":       {values: `{nats: {enabled: true, service: {ports: {nats: {port: 4444}}}}, etcd: {enabled: true}}`},
		"charts by other names":           {values: `{nats: {enabled: true, nameOverride: bus}, etcd: {enabled: true, nameOverride: store}}`},
		"charts by fixed names":           {values: `{nats: {enabled: true, fullnameOverride: bus}, etcd: {enabled: true, fullnameOverride: store}}`},
		"a Service of another name":       {values: `{nats: {enabled: true, fullnameOverride: bus, service: {name: messages}}, etcd: {enabled: true}}`},
		"a Service that is laid over":     {values: `{nats: {enabled: true, service: {merge: {metadata: {name: bus, namespace: data}, spec: {ports: [{name: nats, port: 5222}]}}}}, etcd: {enabled: true}}`},
		"charts in other namespaces":      {values: `{nats: {enabled: true, namespaceOverride: data}, etcd: {enabled: true, namespaceOverride: data}}`},
		"other ports":                     {values: `{nats: {enabled: true, config: {nats: {port: 4333}}}, etcd: {enabled: true, service: {ports: {client: 3379}}}}`},
		"later names of the keys":         {values: `global: {nats: {install: true}, etcd: {install: true}}`},
		"told in any case":                {values: `{nats: {enabled: true}, etcd: {enabled: true}, dynamo-operator: {nats: {enabled: true}, etcd: {enabled: true}}}`},
		"a cluster of a domain":           {values: `{nats: {enabled: true}, etcd: {enabled: true}, dynamo-operator: {kubernetesClusterDomain: corp.example}}`, natsForm: "nats://%s.%s.svc.corp.example:%d", etcdForm: "%s.%s.svc.corp.example:%d"},
		"servers that speak TLS to users": {values: `{nats: {enabled: true, config: {nats: {tls: {enabled: true}}}}, etcd: {enabled: true, auth: {client: {secureTransport: true}}}}`, natsForm: "tls://%s.%s.svc:%d", etcdForm: "https://%s.%s.svc:%d"},
	} {
		t.Run(name, func(t *testing.T) {
			release := test.release
			if release == "" {
				release = "dynamo-platform"
			}
			rendered := renderAs(t, with, release, test.values)
			told := operatorConfig(t, rendered).Infrastructure
			if want := addressOf(t, rendered, "nats", withDefault(test.natsForm, "nats://%s.%s.svc:%d")); told.NATSAddress != want {
				t.Errorf("workloads are told of NATS at %q, but it is at %q", told.NATSAddress, want)
			}
			if want := addressOf(t, rendered, "etcd", withDefault(test.etcdForm, "%s.%s.svc:%d")); told.EtcdAddress != want {
				t.Errorf("workloads are told of etcd at %q, but it is at %q", told.EtcdAddress, want)
			}
		})
	}
}

func withDefault(form, standard string) string {
	if form == "" {
		return standard
	}
	return form
}

// addressOf is where the Service of a bundled chart can be reached.
func addressOf(t *testing.T, rendered *chart.Rendered, component, form string) string {
	t.Helper()
	for _, object := range rendered.Objects {
		if object.Kind != "Service" || object.Labels["app.kubernetes.io/component"] != component {
			continue
		}
		if service := strict[corev1.Service](t, object); service.Spec.ClusterIP != corev1.ClusterIPNone {
			return fmt.Sprintf(form, service.Name, service.Namespace, service.Spec.Ports[0].Port)
		}
	}
	t.Fatalf("no Service of %s", component)
	return ""
}

func TestWorkloadsAreToldOfNothingElse(t *testing.T) {
	for name, test := range map[string]struct{ values, nats string }{
		"nothing is said":               {`{}`, "nats://dynamo-platform-nats.inference.svc:4222"},
		"nothing is installed":          {`{nats: {enabled: false}}`, ""},
		"installed, and not to be told": {`{nats: {enabled: true}, dynamo-operator: {nats: {enabled: false}}}`, ""},
		"one elsewhere":                 {`dynamo-operator: {natsAddr: "nats://bus.example.com:4222"}`, "nats://bus.example.com:4222"},
		"one elsewhere is preferred":    {`{nats: {enabled: true}, dynamo-operator: {natsAddr: "nats://bus.example.com:4222"}}`, "nats://bus.example.com:4222"},
		"turned off by the later key":   {`{global: {nats: {install: false}}}`, ""},
	} {
		if got := operatorConfig(t, renderAs(t, complete(t), "dynamo-platform", test.values)).Infrastructure.NATSAddress; got != test.nats {
			t.Errorf("%s: told of %q, want %q", name, got, test.nats)
		}
	}
}

// TestOrchestrators: installed here, present already, or absent.
func TestOrchestrators(t *testing.T) {
	const restricted = "dynamo-operator: {namespaceRestriction: {enabled: true}}\n"
	for name, test := range map[string]struct {
		values                string
		grove, kai, hasQueues bool
	}{
		"absent":                           {values: `{}`},
		"Grove installed here":             {values: `grove: {enabled: true}`, grove: true},
		"Grove installed by the later key": {values: `global: {grove: {install: true}}`, grove: true},
		"Grove present":                    {values: `global: {grove: {enabled: true}}`, grove: true},
		"KAI installed here":               {values: `kai-scheduler: {enabled: true}`, kai: true, hasQueues: true},
		"KAI installed by the later key":   {values: `global: {kai-scheduler: {install: true}}`, kai: true, hasQueues: true},
		"KAI present":                      {values: `global: {kai-scheduler: {enabled: true}}`, kai: true, hasQueues: true},
		"KAI present, queues by others":    {values: `{global: {kai-scheduler: {enabled: true}}, dynamo-operator: {kaiScheduler: {createQueues: false}}}`, kai: true},
		"KAI absent, queues in vain":       {values: `dynamo-operator: {kaiScheduler: {createQueues: true}}`},
		"KAI present, restricted":          {values: restricted + `global: {kai-scheduler: {enabled: true}}`, kai: true},
	} {
		t.Run(name, func(t *testing.T) {
			rendered := renderAs(t, complete(t), "dynamo-platform", test.values)
			cfg := operatorConfig(t, rendered)
			if cfg.Orchestrators.Grove.Enabled != test.grove || cfg.Orchestrators.KAIScheduler.Enabled != test.kai || cfg.CreatesQueues() != test.hasQueues {
				t.Errorf("orchestrators %+v, want grove %v, kai %v, queues %v", cfg.Orchestrators, test.grove, test.kai, test.hasQueues)
			}
			granted := rulesOf(t, rendered, "dynamo-platform-dynamo-operator-queues")
			if diff := cmp.Diff(expand(manager.PermissionsFor(cfg).Queues), expand(granted)); diff != "" {
				t.Errorf("rights on queues (-code needs +chart grants):\n%s", diff)
			}
			for _, rule := range granted {
				for _, verb := range []string{"update", "patch", "delete", "deletecollection", rbacv1.VerbAll} {
					if slices.Contains(rule.Verbs, verb) {
						t.Errorf("the operator may %s queues", verb)
					}
				}
			}
		})
	}
}

func TestAMirrorServesAllOrIsRefused(t *testing.T) {
	const mirrored = `
global: {imageRegistry: registry.example.com/mirror, imagePullSecrets: [mirror], image: {registry: %s, pullSecretNames: [mirror]}}
nats: {enabled: true}
etcd: {enabled: true}
`
	with := complete(t)
	images, err := renderAs(t, with, "dynamo-platform", fmt.Sprintf(mirrored, "registry.example.com/mirror")).Images()
	if err != nil {
		t.Fatal(err)
	}
	if len(images) != 5 {
		t.Errorf("images %v, want those of the operator, its debugger, the profiler, NATS and etcd", images)
	}
	for _, image := range images {
		if !strings.HasPrefix(image, "registry.example.com/mirror/") {
			t.Errorf("%s does not come from the mirror", image)
		}
	}
	const want = "set global.image.registry to the same"
	if _, err := tryRenderAs(t, with, "dynamo-platform", fmt.Sprintf(mirrored, `""`)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want an error with %q", err, want)
	}
	images, err = renderAs(t, with, "dynamo-platform", fmt.Sprintf(mirrored, "docker.io")).Images()
	if err != nil || !slices.ContainsFunc(images, func(image string) bool { return strings.HasPrefix(image, "docker.io/") }) {
		t.Errorf("images %v (%v), want NATS from docker.io", images, err)
	}
}

// TestTheNotesAreTrueForTheMode and have five lines, besides warnings.
func TestTheNotesAreTrueForTheMode(t *testing.T) {
	with := complete(t)
	for name, test := range map[string]struct {
		values        string
		says, warning []string
	}{
		"cluster-wide": {values: `{}`, says: []string{"every namespace without an operator", "kubectl -n NAMESPACE apply", "deployment/dynamo-platform-dynamo-operator-controller-manager", "is refused when it is applied"}},
		"restricted":   {values: `dynamo-operator: {namespaceRestriction: {enabled: true}}`, says: []string{"namespace inference only, and whoever may edit that has its rights", "kubectl -n inference apply", "is not refused", "webhook.enabled=true, with wheelhouse, cert-manager or an external certificate"}},
		"beside":       {values: `dynamo-operator: {namespaceRestriction: {enabled: true, targetNamespace: team-a}}`, says: []string{"namespace team-a only. Apply", "kubectl -n team-a apply"}},
		"no operator":  {values: `dynamo-operator: {enabled: false}`, says: []string{"The operator is off"}},
		"with services": {
			values: `{nats: {enabled: true}, grove: {enabled: true}, global: {imagePullSecrets: [x]}}`,
			says:   []string{"with nats, grove"}, warning: []string{"Helm applies the CRDs of grove at the first install", "set global.image.pullSecretNames"},
		},
		"a mirror that KAI does not know": {values: `{kai-scheduler: {enabled: true}, global: {imageRegistry: r.example.com, image: {registry: r.example.com}}}`, warning: []string{"CRDs of kai-scheduler", "takes no part in global.imageRegistry"}},
		"KAI without a right to queues":   {values: `{global: {kai-scheduler: {enabled: true}}, dynamo-operator: {namespaceRestriction: {enabled: true}}}`, warning: []string{"see that they exist"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, notes, err := renderAll(t, with, parseYAML(t, test.values))
			if err != nil {
				t.Fatal(err)
			}
			plain, warnings, _ := strings.Cut(notes, "WARNING: ")
			if lines := strings.Count(strings.TrimSpace(plain), "\n") + 1; lines > 5 {
				t.Errorf("%d lines, want at most 5:\n%s", lines, notes)
			}
			for _, want := range test.says {
				if !strings.Contains(plain, want) {
					t.Errorf("the notes lack %q:\n%s", want, notes)
				}
			}
			for _, want := range test.warning {
				if !strings.Contains(warnings, want) {
					t.Errorf("the warnings lack %q:\n%s", want, notes)
				}
			}
			if len(test.warning) == 0 && warnings != "" {
				t.Errorf("needless warnings: %s", warnings)
			}
		})
	}
}
