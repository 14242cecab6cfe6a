package check

import (
	"fmt"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var (
	claimName   = []string{"storage", "pvc", "name"}
	claimClass  = []string{"storage", "pvc", "storageClass"}
	claimAccess = []string{"storage", "pvc", "accessMode"}
)

// classKeys are the values that name a class of the cluster, by chart.
var classKeys = []struct {
	chart, kind string
	path        []string
	have        func(*Cluster) []string
}{
	{fleet.ChartPlatform, "PriorityClass", []string{"dynamo-operator", "controllerManager", "priorityClassName"}, priorityClasses},
	{fleet.ChartChrek, "PriorityClass", []string{"daemonset", "priorityClassName"}, priorityClasses},
	{fleet.ChartChrek, "RuntimeClass", []string{"daemonset", "runtimeClassName"}, func(c *Cluster) []string { return c.RuntimeClasses }},
}

func priorityClasses(c *Cluster) []string { return c.PriorityClasses }

// namesClass picks releases in which one of the keys is set.
func namesClass(rel fleet.Release) bool {
	for _, key := range classKeys {
		if rel.Chart == key.chart && text(rel, key.path...) != "" {
			return true
		}
	}
	return false
}

var classesExist = Rule{
	ID:       "W-05",
	Severity: Warning,
	Says:     "The RuntimeClass and the PriorityClass that pods ask for exist.",
	Why: "A pod that names a class which the cluster does not have is refused when its controller creates it: the Deployment or DaemonSet is there and stays without " +
		"pods. It is a warning because another program, such as the GPU operator, may bring the class later.",
	When:  namesClass,
	Needs: []Fact{FactRuntimeClasses, FactPriorityClasses},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range in.Set.Releases {
			for _, key := range classKeys {
				name := text(rel, key.path...)
				if rel.Chart != key.chart || name == "" || slices.Contains(key.have(in.Cluster), name) {
					continue
				}
				problems = append(problems, fleet.Problem{
					Origin:  originOf(rel, key.path...),
					Message: fmt.Sprintf("%s of release %s is %s, a %s that the cluster does not have", dotted(rel.Chart, key.path), rel.Key, name, key.kind),
					Fix:     "install what brings the class, name another, or leave the key empty",
				})
			}
		}
		return problems
	},
	Fails:  []Example{{Fleet: prepared, Cluster: &Cluster{RuntimeClasses: []string{"gvisor"}}}},
	Passes: []Example{{Fleet: prepared, Cluster: &Cluster{RuntimeClasses: []string{"nvidia"}}}},
}

var claimsCanBeServed = Rule{
	ID:       "W-06",
	Severity: Warning,
	Says:     "The agent's claim can be served as it is asked for: by a class that exists and can do it, or by the claim that is there.",
	Why: "A claim without a class that serves it stays Pending, and with it every agent that mounts it. Which access modes a class can do is known only of the common " +
		"ones for block devices, and a claim's modes cannot be changed later; hence a warning.",
	When:  isAgent,
	Needs: []Fact{FactStorageClasses, FactClaims},
	Names: func(rel fleet.Release) []string {
		if !isAgent(rel) {
			return nil
		}
		return []string{text(rel, claimName...)}
	},
	Live: func(in Input) (problems []fleet.Problem) {
		for _, rel := range agents(in.Set) {
			if p := claimProblem(in.Cluster, rel); p.Message != "" {
				problems = append(problems, p)
			}
		}
		return problems
	},
	Fails: []Example{
		{Fleet: prepared, Cluster: &Cluster{StorageClasses: []StorageClass{{Name: "nfs", Provisioner: "nfs.csi.k8s.io"}}}},
		{Fleet: prepared, Cluster: &Cluster{StorageClasses: []StorageClass{{Name: "gp3", Provisioner: "ebs.csi.aws.com", Default: true}}}},
		{Fleet: prepared, Cluster: &Cluster{Claims: []Claim{{Key: fleet.Key{Namespace: "team-a", Name: "chrek-pvc"}, Modes: []string{"ReadWriteOnce"}, Phase: "Bound"}}}},
		{Fleet: preparedWith("chrek: {storage: {pvc: {create: false}}}"), Cluster: &Cluster{}},
	},
	Passes: []Example{
		{Fleet: prepared, Cluster: &Cluster{StorageClasses: []StorageClass{{Name: "nfs", Provisioner: "nfs.csi.k8s.io", Default: true}}}},
		{Fleet: prepared, Cluster: &Cluster{Claims: []Claim{{Key: fleet.Key{Namespace: "team-a", Name: "chrek-pvc"}, Modes: []string{"ReadWriteMany"}, Phase: "Bound"}}}},
	},
}

// claimProblem is what keeps an agent's claim from being served, if anything.
func claimProblem(c *Cluster, rel fleet.Release) fleet.Problem {
	name, mode := text(rel, claimName...), text(rel, claimAccess...)
	for _, claim := range c.Claims {
		if claim.Key != (fleet.Key{Namespace: rel.Namespace, Name: name}) {
			continue
		}
		if slices.Contains(claim.Modes, mode) {
			return fleet.Problem{}
		}
		return fleet.Problem{
			Origin:  originOf(rel, claimAccess...),
			Message: fmt.Sprintf("claim %s exists and offers %v, but release %s asks for %s", claim.Key, claim.Modes, rel.Key, mode),
			Fix:     "ask for what the claim offers, or name another claim",
		}
	}
	if !isTrue(rel.Values.At("storage", "pvc", "create")) {
		return fleet.Problem{
			Origin:  originOf(rel, claimName...),
			Message: fmt.Sprintf("release %s uses the claim %s/%s without creating it, and it does not exist", rel.Key, rel.Namespace, name),
			Fix:     "create the claim first, or set storage.pvc.create",
		}
	}
	return classProblem(c, rel, mode)
}

func classProblem(c *Cluster, rel fleet.Release, mode string) fleet.Problem {
	wanted := text(rel, claimClass...)
	i := slices.IndexFunc(c.StorageClasses, func(s StorageClass) bool { return s.Name == wanted || wanted == "" && s.Default })
	switch {
	case i < 0 && wanted == "":
		return fleet.Problem{
			Origin:  originOf(rel, claimClass...),
			Message: fmt.Sprintf("the claim of release %s names no storage class, and the cluster has no default one", rel.Key),
			Fix:     "name one that it has: kubectl get storageclass",
		}
	case i < 0:
		return fleet.Problem{
			Origin:  originOf(rel, claimClass...),
			Message: fmt.Sprintf("the claim of release %s names the storage class %s, which the cluster does not have", rel.Key, wanted),
			Fix:     "name one that it has: kubectl get storageclass",
		}
	case mode == "ReadWriteMany" && c.StorageClasses[i].OneNode():
		return fleet.Problem{
			Origin: originOf(rel, claimAccess...),
			Message: fmt.Sprintf("the claim of release %s is to be ReadWriteMany, and the storage class %s (%s) serves one node at a time",
				rel.Key, c.StorageClasses[i].Name, c.StorageClasses[i].Provisioner),
			Fix: "name a class of shared storage, such as NFS or CephFS, or ask for ReadWriteOnce where one node runs all workers",
		}
	}
	return fleet.Problem{}
}

// podSecurity is the label by which a namespace refuses pods.
const podSecurity = "pod-security.kubernetes.io/enforce"

var namespacesAdmitAgents = Rule{
	ID:       "W-07",
	Severity: Warning,
	Says:     "The namespace of an agent admits its pods.",
	Why: "To put the seccomp profile on its node, the agent mounts two folders of it, and its engine needs more, which the Pod Security levels baseline and restricted forbid: its " +
		"DaemonSet would stay without pods. Without both it keeps to restricted, as the operator does. A namespace of the platform's own, in which no tenant may create pods, can be " +
		"opened to it; the namespace of graphs never, since that opens it to every graph. It is a warning because a cluster may exempt accounts.",
	Fix: "where no tenant may edit the namespace, set its label pod-security.kubernetes.io/enforce to privileged; " +
		"elsewhere put the profile on the nodes yourself and set seccomp.deploy to false, or set checkpoint.enabled to false for this platform",
	When:  isAgent,
	Needs: []Fact{FactNamespaces},
	Live: func(in Input) (problems []fleet.Problem) {
		levels := map[string]string{}
		for _, ns := range in.Cluster.Namespaces {
			levels[ns.Name] = ns.Labels[podSecurity]
		}
		for _, rel := range agents(in.Set) {
			if level := levels[rel.Namespace]; (deploysProfile(rel) || enginePod(rel)) && (level == "baseline" || level == "restricted") {
				problems = append(problems, problem(rel.Origin,
					"namespace %s enforces the Pod Security level %s, which forbids the agent of release %s", rel.Namespace, level, rel.Key))
			}
		}
		return problems
	},
	Fails: []Example{{Fleet: preparedApart, Cluster: &Cluster{Namespaces: []Namespace{{Name: "team-a-platform", Labels: map[string]string{podSecurity: "baseline"}}}}}},
	Passes: []Example{
		{
			Fleet:   prepared,
			Cluster: &Cluster{Namespaces: []Namespace{{Name: "team-a", Labels: map[string]string{podSecurity: "restricted"}}}},
		},
		{Fleet: preparedApart, Cluster: &Cluster{}},
	},
}
