package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const head = "apiVersion: operator.config.dynamo.nvidia.com/v1alpha1\nkind: OperatorConfiguration\n"

// documentedExample is the file shown in the package documentation.
func documentedExample(t *testing.T) string {
	t.Helper()
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var yaml strings.Builder
	for line := range strings.Lines(string(doc)) {
		if example, ok := strings.CutPrefix(line, "//\t"); ok {
			yaml.WriteString(example)
		}
	}
	return yaml.String()
}

func TestTheDocumentedExampleIsTheDefault(t *testing.T) {
	got, err := Parse([]byte(documentedExample(t)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Default(), got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the example in doc.go differs from Default() (-default +example):\n%s", diff)
	}
}

func TestParseKeepsWhatTheFileSays(t *testing.T) {
	got, err := Parse([]byte(head + `
namespace: {restricted: team-a, scope: {leaseDuration: 60s}}
leaderElection: {enabled: false}
server: {metrics: {bindAddress: ":8443", secure: false}}
ingress: {hostSuffix: ""}
`))
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Namespace.Restricted = "team-a"
	want.Namespace.Scope.LeaseDuration.Duration = time.Minute
	want.LeaderElection.Enabled = false
	want.Server.Metrics = Metrics{BindAddress: ":8443"}
	want.Ingress.HostSuffix = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.ClusterWide() {
		t.Error("a restricted operator is not cluster-wide")
	}
}

func TestParseRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ yaml, want string }{
		"no apiVersion":       {"kind: OperatorConfiguration", "apiVersion: Unsupported value"},
		"another kind":        {strings.Replace(head, "OperatorConfiguration", "Fleet", 1), `kind: Unsupported value: "Fleet"`},
		"unknown key":         {head + "namespace: {limited: a}", `unknown field "namespace.limited"`},
		"unknown top key":     {head + "metrics: {}", `unknown field "metrics"`},
		"duplicate key":       {head + "logging: {level: info}\nlogging: {level: debug}", "already set"},
		"bad namespace":       {head + "namespace: {restricted: Team_A}", "namespace.restricted: Invalid value"},
		"lease too short":     {head + "namespace: {scope: {leaseDuration: 10s}}", "must be longer than leaseRenewInterval"},
		"lease in fractions":  {head + "namespace: {scope: {leaseDuration: 30500ms}}", "whole number of seconds"},
		"no renewal":          {head + "namespace: {scope: {leaseRenewInterval: 0s}}", "namespace.scope.leaseRenewInterval: Invalid value"},
		"not a duration":      {head + "namespace: {scope: {leaseDuration: soon}}", "invalid duration"},
		"election without id": {head + `leaderElection: {id: ""}`, "leaderElection.id: Invalid value"},
		"metrics address":     {head + `server: {metrics: {bindAddress: "8443"}}`, "server.metrics.bindAddress: Invalid value"},
		"profile for all":     {head + `server: {profile: {bindAddress: ":6060"}}`, "server.profile.bindAddress: Invalid value"},
		"profile address":     {head + `server: {profile: {bindAddress: "6060"}}`, "server.profile.bindAddress: Invalid value"},
		"discovery backend":   {head + "discovery: {backend: consul}", `discovery.backend: Unsupported value: "consul"`},
		"webhook address":     {head + `server: {webhook: {bindAddress: "9443"}}`, "server.webhook.bindAddress: Invalid value"},
		"certificate source":  {head + `server: {webhook: {bindAddress: ":9443", certificates: {source: vault}}}`, "server.webhook.certificates.source: Unsupported value"},
		"webhook service":     {head + `server: {webhook: {bindAddress: ":9443"}}`, "server.webhook.certificates.serviceName: Invalid value"},
		"certificate folder":  {head + `server: {webhook: {bindAddress: ":9443", certificates: {source: files, directory: ""}}}`, "server.webhook.certificates.directory: Required value"},
		"certificate life":    {head + `server: {webhook: {bindAddress: ":9443", certificates: {validity: 1m}}}`, "server.webhook.certificates.validity: Invalid value"},
		"log level":           {head + "logging: {level: loud}", `logging.level: Unsupported value: "loud"`},
		"gateway":             {head + "ingress: {virtualServiceGateway: edge/Public}", "ingress.virtualServiceGateway: Invalid value"},
		"pull secret":         {head + "components: {imagePullSecrets: [Bad_Name]}", "components.imagePullSecrets[0]: Invalid value"},
		"annotation":          {head + "components: {serviceAccountAnnotations: {-: x}}", "components.serviceAccountAnnotations: Invalid value"},
		"debugger":            {head + `components: {debuggerImage: ""}`, "components.debuggerImage: Required value"},
		"checkpoint image":    {head + "checkpoint: {enabled: true}", "checkpoint.agentImage: Required value"},
		"checkpoint profile":  {head + "checkpoint: {seccompProfile: /etc/x}", "checkpoint.seccompProfile: Invalid value"},
		"profile elsewhere":   {head + "checkpoint: {seccompProfile: ../x}", "checkpoint.seccompProfile: Invalid value"},
		"checkpoint folder":   {head + "checkpoint: {basePath: checkpoints}", "checkpoint.basePath: Invalid value"},
		"checkpoints to keep": {head + "checkpoint: {mostPerNamespace: -1}", "checkpoint.mostPerNamespace: Invalid value"},
		"host suffix":         {head + "ingress: {hostSuffix: .local}", "ingress.hostSuffix: Invalid value"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse([]byte(tc.yaml))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte(head+"logging: {level: loud}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("got %v, want an error naming %s", err, path)
	}
	if _, err := Load(path + ".missing"); err == nil || !strings.Contains(err.Error(), "config.yaml.missing") {
		t.Errorf("got %v, want an error naming the missing file", err)
	}
}
