package check

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func webhookPath(path ...string) []string {
	return append([]string{"dynamo-operator", "webhook"}, path...)
}

var webhooksAnswer = Rule{
	ID:       "C-23",
	Severity: Error,
	Says:     "An admission webhook on our kinds that refuses while nobody answers has somebody who can answer.",
	Why: "A webhook configuration that an uninstalled operator left behind refuses every graph in the cluster, and the operator's own writes with them. " +
		"Webhooks of the fleet's own releases are not meant: their operator writes the authority into them when it starts.",
	When:  isPlatform,
	Needs: []Fact{FactWebhooks},
	Live: func(in Input) (problems []fleet.Problem) {
		ours := ourKeys(in.Set)
		for _, w := range in.Cluster.Webhooks {
			if !w.Fails || ours[w.Release] {
				continue
			}
			reason := ""
			switch {
			case !w.ServiceFound:
				reason = fmt.Sprintf("its Service %s does not exist", w.Service)
			case w.Service.Name != "" && !w.Trusted:
				reason = "no certificate authority is written into it, so the API server trusts no answer"
			default:
				continue
			}
			problems = append(problems, fleet.Problem{
				Message: fmt.Sprintf("%s %s refuses every object of our kinds that it is asked about: %s", w.Kind, w.Name, reason),
				Fix:     fmt.Sprintf("delete it if its operator is gone: kubectl delete %s %s", w.Kind, w.Name),
			})
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Webhooks: []Webhook{{
			Kind: "ValidatingWebhookConfiguration", Name: "old-dynamo-operator-validating", Trusted: true, Fails: true,
			Service: fleet.Key{Namespace: "old", Name: "old-dynamo-operator-webhook-service"},
		}}},
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Webhooks: []Webhook{{
			Kind: "MutatingWebhookConfiguration", Name: "old-dynamo-operator-mutating", ServiceFound: true, Fails: true,
			Service: fleet.Key{Namespace: "old", Name: "old-dynamo-operator-webhook-service"},
		}}},
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Cluster: &Cluster{Webhooks: []Webhook{
			{Kind: "ValidatingWebhookConfiguration", Name: "policy", ServiceFound: true, Trusted: true, Fails: true, Service: fleet.Key{Namespace: "policy", Name: "policy"}},
			{Kind: "ValidatingWebhookConfiguration", Name: "ours-of-a-moment-ago", Fails: true, Release: fleet.Key{Namespace: "team-a", Name: "dynamo-platform"}},
		}},
	}},
}

func ourKeys(set *fleet.Set) map[fleet.Key]bool {
	out := map[fleet.Key]bool{}
	for _, rel := range set.Releases {
		out[rel.Key] = true
	}
	return out
}

var certManagerIsThere = Rule{
	ID:       "C-24",
	Severity: Error,
	Says:     "Certificates come from cert-manager only where it is installed, and from nowhere else at the same time.",
	Why:      "Without its kinds the release cannot be applied. With two sources it would be open which of them the API server trusts.",
	When:     whenTrue(webhookPath("certManager", "enabled")...),
	Needs:    []Fact{FactAPIs},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if isTrue(rel.Values.At(webhookPath("certManager", "enabled")...)) && isTrue(rel.Values.At(webhookPath("certificateSecret", "external")...)) {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, webhookPath("certificateSecret", "external")...),
					Message: fmt.Sprintf("platform %s takes its certificate from cert-manager and from an external Secret", rel.Key),
					Fix:     "set one of webhook.certManager.enabled and webhook.certificateSecret.external to false",
				})
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		if slices.Contains(in.Cluster.APIs, "cert-manager.io/v1") {
			return nil
		}
		for _, rel := range in.Set.Platforms() {
			path := webhookPath("certManager", "enabled")
			if isTrue(rel.Values.At(path...)) {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, path...),
					Message: fmt.Sprintf("platform %s takes its certificate from cert-manager, but the cluster does not serve cert-manager.io/v1", rel.Key),
					Fix:     "install cert-manager, or let the operator look after its certificate: webhook.certManager.enabled=false",
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {certManager: {enabled: true}, certificateSecret: {external: true}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {webhook: {certManager: {enabled: true}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{APIs: []string{"apps/v1"}},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {certManager: {enabled: true}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {webhook: {certManager: {enabled: true}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{APIs: []string{"apps/v1", "cert-manager.io/v1"}},
	}},
}

// examplePEM is enough of a certificate for a rule that reads its envelope.
const examplePEM = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1BPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

var externalCertificateIsUsable = Rule{
	ID:       "C-25",
	Severity: Error,
	Says:     "An external certificate comes with the authority to trust, and its Secret exists in the platform's namespace.",
	Why: "Without the authority the API server trusts no answer of the webhook and refuses every graph; without the Secret the operator does not start. What " +
		"the Secret holds is not read: it must have tls.crt, tls.key and ca.crt, and the certificate must be valid for " +
		"RELEASE-dynamo-operator-webhook-service.NAMESPACE.svc.",
	When:  external,
	Needs: []Fact{FactSecrets},
	Names: func(rel fleet.Release) []string {
		if !external(rel) {
			return nil
		}
		return []string{text(rel, webhookPath("certificateSecret", "name")...)}
	},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if !external(rel) {
				continue
			}
			if reason := badBundle(text(rel, webhookPath("caBundle")...)); reason != "" {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, webhookPath("caBundle")...),
					Message: fmt.Sprintf("platform %s uses an external certificate, but webhook.caBundle %s", rel.Key, reason),
					Fix:     "set it to the output of `base64 -w0 ca.crt`",
				})
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			path := webhookPath("certificateSecret", "name")
			if name := text(rel, path...); external(rel) && !has(in.Cluster.Secrets, rel.Namespace, name) {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, path...),
					Message: fmt.Sprintf("platform %s uses the certificate in Secret %s/%s, which does not exist", rel.Key, rel.Namespace, name),
					Fix:     "create it with tls.crt, tls.key and ca.crt before the platform",
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {certificateSecret: {external: true}}}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
	}, {
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: bm90IGEgY2VydGlmaWNhdGU=}}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: " + examplePEM + "}}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "elsewhere", Name: "webhook-server-cert"}}},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: " + examplePEM + "}}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {webhook: {certificateSecret: {external: true}, caBundle: " + examplePEM + "}}}}]\nplatforms: [{namespace: team-a, scope: cluster}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "team-a", Name: "webhook-server-cert"}}},
	}},
}

// external reports whether a platform serves webhooks with somebody else's
// certificate.
func external(rel fleet.Release) bool {
	on, said := rel.Values.At(webhookPath("enabled")...).Plain().(bool)
	return isPlatform(rel) && isTrue(rel.Values.At(webhookPath("certificateSecret", "external")...)) && (on || !said)
}

func badBundle(bundle string) string {
	if bundle == "" {
		return "is empty"
	}
	data, err := base64.StdEncoding.DecodeString(bundle)
	if err != nil {
		return "is not base64"
	}
	if block, _ := pem.Decode(data); block == nil || block.Type != "CERTIFICATE" {
		return "does not hold a PEM certificate"
	}
	return ""
}

var noHooks = Rule{
	ID:       "C-26",
	Severity: Warning,
	Says:     "A release needs no hooks, and so no helper image that a cluster may not be able to pull.",
	Why: "A hook's Job runs before or after everything else, often with an image that neither the registry mirror nor the pull secrets of the platform " +
		"reach; while it cannot start, the release hangs. Our charts have none, and the operator makes its certificate itself. A dependency may have some.",
	Fix: "make sure that the hook's images can be pulled without pull secrets; `wheelhouse render` does not show hooks, `helm get hooks` does once it is installed",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			if rendered := in.Rendered[rel.Key]; rendered != nil && len(rendered.Hooks) > 0 {
				problems = append(problems, problem(rel.Origin, "release %s runs %d objects as hooks", rel.Key, len(rendered.Hooks)))
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: prepare\n  annotations: {helm.sh/hook: pre-install}\n"),
	}},
	Passes: []Example{{Fleet: "platforms: [{namespace: team-a}]"}},
}
