package check

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func operatorPath(path ...string) []string {
	return append([]string{"dynamo-operator", "dynamo"}, path...)
}

var sshSecretPath = operatorPath("mpiRun", "secretName")

// bringsOwnKey: nobody makes the SSH key, so the Secret must be there.
func bringsOwnKey(rel fleet.Release) bool {
	made, said := rel.Values.At(operatorPath("mpiRun", "sshKeygen", "enabled")...).Plain().(bool)
	return isPlatform(rel) && said && !made
}

var sshKeyIsNamed = Rule{
	ID:       "C-37",
	Severity: Error,
	Says:     "The Secret with the SSH key for workers on several nodes has a name, and exists where nobody makes it.",
	Why:      "Launchers of multi-node workers mount it; their pods do not start without it. What the Secret holds is not read: it must have private.key and private.key.pub.",
	When: func(rel fleet.Release) bool {
		return isPlatform(rel) && rel.Values.At(operatorPath("mpiRun")...) != nil
	},
	Needs: []Fact{FactSecrets},
	Names: func(rel fleet.Release) []string {
		if name := text(rel, sshSecretPath...); name != "" && bringsOwnKey(rel) {
			return []string{name}
		}
		return nil
	},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			v := rel.Values.At(sshSecretPath...)
			if name, isText := v.Plain().(string); v != nil && (!isText || name == "") {
				problems = append(problems, fleet.Problem{
					Origin:  v.Origin,
					Message: fmt.Sprintf("platform %s names no Secret for the SSH key", rel.Key),
					Fix:     "name one in dynamo.mpiRun.secretName, or remove the key: the default is mpi-run-ssh-secret",
				})
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			name := text(rel, sshSecretPath...)
			if bringsOwnKey(rel) && name != "" && !has(in.Cluster.Secrets, rel.Namespace, name) {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, sshSecretPath...),
					Message: fmt.Sprintf("platform %s brings its own SSH key in Secret %s/%s, which does not exist", rel.Key, rel.Namespace, name),
					Fix:     "create it, or set dynamo.mpiRun.sshKeygen.enabled",
				})
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {mpiRun: {secretName: ''}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {dynamo: {mpiRun: {secretName: our-key, sshKeygen: {enabled: false}}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "team-b", Name: "our-key"}}},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {mpiRun: {secretName: our-key}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {dynamo: {mpiRun: {secretName: our-key, sshKeygen: {enabled: false}}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "team-a", Name: "our-key"}}},
	}},
}

// pullSecrets lists the names of the pull secrets that a release refers to.
func pullSecrets(rel fleet.Release) []string {
	var names []string
	for _, path := range [][]string{
		{"global", "imagePullSecrets"}, {"imagePullSecrets"}, {"dynamo-operator", "imagePullSecrets"}, {"daemonset", "imagePullSecrets"},
	} {
		list := rel.Values.At(path...)
		if list == nil {
			continue
		}
		for _, item := range list.Items {
			name, _ := item.Plain().(string)
			if item.Kind == fleet.Map {
				name, _ = item.Field("name").Plain().(string)
			}
			names = append(names, name)
		}
	}
	if registryByReference(rel) {
		names = append(names, text(rel, operatorPath("dockerRegistry", "existingSecretName")...))
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

func registryByReference(rel fleet.Release) bool {
	return isPlatform(rel) && isTrue(rel.Values.At(operatorPath("dockerRegistry", "useKubernetesSecret")...))
}

var pullSecretsExist = Rule{
	ID:       "C-39",
	Severity: Warning,
	Says:     "Pull secrets are named, not made from a password, and exist in the namespace of the release.",
	Why: "Pods whose pull secret is missing wait in ImagePullBackOff. A password in values would be readable in the release's record, so the chart makes no such " +
		"Secret. It is a warning because the Secret may come later, or with something else.",
	When:  func(rel fleet.Release) bool { return len(pullSecrets(rel)) > 0 || registryByReference(rel) },
	Needs: []Fact{FactSecrets},
	Names: pullSecrets,
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if path := operatorPath("dockerRegistry", "existingSecretName"); registryByReference(rel) && text(rel, path...) == "" {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, path...),
					Message: fmt.Sprintf("platform %s uses dockerRegistry.useKubernetesSecret without naming a Secret", rel.Key),
					Fix:     "create a Secret of type kubernetes.io/dockerconfigjson and name it in dynamo.dockerRegistry.existingSecretName",
				})
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, name := range pullSecrets(rel) {
				if !has(in.Cluster.Secrets, rel.Namespace, name) {
					problems = append(problems, fleet.Problem{
						Origin:  rel.Origin,
						Message: fmt.Sprintf("release %s refers to the pull secret %s, which namespace %s does not have", rel.Key, name, rel.Namespace),
						Fix:     fmt.Sprintf("kubectl -n %s create secret docker-registry %s ...", rel.Namespace, name),
					})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {dockerRegistry: {useKubernetesSecret: true}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "shared: {imagePullSecrets: [registry-credentials]}\nplatforms: [{namespace: team-a}, {namespace: team-b}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "team-a", Name: "registry-credentials"}}},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {dockerRegistry: {useKubernetesSecret: true, existingSecretName: registry-credentials}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "shared: {imagePullSecrets: [registry-credentials]}\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{Secrets: []fleet.Key{{Namespace: "team-a", Name: "registry-credentials"}}},
	}},
}

func hasIngress(rel fleet.Release) bool {
	return isPlatform(rel) && isTrue(rel.Values.At(operatorPath("ingress", "enabled")...))
}

var ingressIsComplete = Rule{
	ID:       "C-40",
	Severity: Warning,
	Says:     "Default Ingresses have a class that the cluster knows, and their TLS Secret is in every namespace with graphs.",
	Why: "An Ingress without a class is served by nobody or by whichever controller is the default. One whose Secret is missing is served with a certificate " +
		"that no client accepts.",
	When:  hasIngress,
	Needs: []Fact{FactIngressClasses, FactSecrets, FactGraphs},
	Names: func(rel fleet.Release) []string {
		if name := text(rel, operatorPath("ingress", "tlsSecretName")...); hasIngress(rel) && name != "" {
			return []string{name}
		}
		return nil
	},
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if path := operatorPath("ingress", "className"); hasIngress(rel) && text(rel, path...) == "" {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, path...),
					Message: fmt.Sprintf("platform %s makes Ingresses without a class", rel.Key),
					Fix:     "name the class in dynamo.ingress.className",
				})
			}
		}
		return problems
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Platforms() {
			if !hasIngress(rel) {
				continue
			}
			path := operatorPath("ingress", "className")
			if class := text(rel, path...); class != "" && !slices.Contains(in.Cluster.IngressClasses, class) {
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, path...),
					Message: fmt.Sprintf("platform %s makes Ingresses of class %s, which the cluster does not have", rel.Key, class),
					Fix:     "name one that it has: kubectl get ingressclass",
				})
			}
			problems = append(problems, withoutTLS(in, rel)...)
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {ingress: {enabled: true}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet:   "values: [{platform: {dynamo-operator: {dynamo: {ingress: {enabled: true, className: nginx, tlsSecretName: site-tls}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{IngressClasses: []string{"traefik"}, Graphs: []Graph{{Namespace: "team-a", Name: "chat"}}},
	}},
	Passes: []Example{{
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {ingress: {enabled: true, className: nginx}}}}}]\nplatforms: [{namespace: team-a}]",
	}, {
		Fleet: "values: [{platform: {dynamo-operator: {dynamo: {ingress: {enabled: true, className: nginx, tlsSecretName: site-tls}}}}}]\nplatforms: [{namespace: team-a}]",
		Cluster: &Cluster{
			IngressClasses: []string{"nginx"}, Graphs: []Graph{{Namespace: "team-a", Name: "chat"}},
			Secrets: []fleet.Key{{Namespace: "team-a", Name: "site-tls"}},
		},
	}},
}

// withoutTLS finds namespaces with graphs of a platform but without its TLS Secret.
func withoutTLS(in Input, rel fleet.Release) (problems []fleet.Problem) {
	path := operatorPath("ingress", "tlsSecretName")
	name := text(rel, path...)
	if name == "" {
		return nil
	}
	seen := map[string]bool{}
	for _, g := range in.Cluster.Graphs {
		by, served := servedBy(in.Set, g.Namespace)
		if !served || by.Key != rel.Key || seen[g.Namespace] || has(in.Cluster.Secrets, g.Namespace, name) {
			continue
		}
		seen[g.Namespace] = true
		problems = append(problems, fleet.Problem{
			Origin:  originOf(rel, path...),
			Message: fmt.Sprintf("namespace %s has graphs, such as %s, but no Secret %s for their Ingresses", g.Namespace, g.Name, name),
			Fix:     fmt.Sprintf("create Secret %s/%s, for example by a Certificate", g.Namespace, name),
		})
	}
	return problems
}

var secretsAreNotBlank = Rule{
	ID:       "C-43a",
	Severity: Warning,
	Says:     "No release renders a Secret with empty entries that a controller fills in later.",
	Why: "Grove's chart renders the Secret of its webhook empty, and Grove fills it. At the next upgrade the two own the same fields: the apply ends in a conflict, " +
		"or, forced, empties the certificate under a running webhook. A plan shows the conflict; this says beforehand where it comes from.",
	Fix: "do not answer that conflict with --force-conflicts; let the controller own the entry",
	Find: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, secret := range objectsOfType[*corev1.Secret](in, rel, "Secret") {
				if blank := blankEntry(secret); blank != "" {
					problems = append(problems, problem(rel.Origin, "release %s renders Secret %s with an empty %s", rel.Key, secret.Name, blank))
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: Secret\nmetadata: {name: grove-webhook-server-cert}\ntype: kubernetes.io/tls\ndata: {tls.crt: '', tls.key: ''}\n"),
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: Secret\nmetadata: {name: filled}\nstringData: {key: value}\n"),
	}},
}

func blankEntry(secret *corev1.Secret) string {
	for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
		if len(secret.Data[key]) == 0 && secret.StringData[key] == "" {
			return key
		}
	}
	return ""
}
