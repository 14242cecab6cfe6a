package check

import (
	"fmt"

	"github.com/Masterminds/semver/v3"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

var objectsAreKubernetes = Rule{
	ID:       "W-04",
	Severity: Error,
	Says:     "Rendered objects have the fields that Kubernetes knows, with values of the right type, in an API that the target version serves.",
	Why: "The API server would refuse the object, or drop the field, in the middle of a rollout. Values that a chart passes through to a " +
		"Kubernetes field (resources, affinity, a dependency's values) are where this happens. Kinds that are not Kubernetes' own are left to the server.",
	Fix: "correct the value that leads to this field; `wheelhouse render` shows the object",
	Find: func(in Input) (problems []fleet.Problem) {
		in.decoded.decodeAll(in)
		for _, rel := range in.Set.Releases {
			for _, object := range objectsOf(in, rel) {
				decoded, err := in.decoded.decode(object)
				if err != nil {
					for _, reason := range reasons(err) {
						problems = append(problems, fleet.Problem{Origin: rel.Origin, Message: fmt.Sprintf("release %s renders %s: %s", rel.Key, object, reason)})
					}
					continue
				}
				if reason := lifecycle(decoded, in.KubeVersion); reason != "" {
					problems = append(problems, fleet.Problem{Origin: rel.Origin, Message: fmt.Sprintf("release %s renders %s of %s, %s", rel.Key, object, object.APIVersion, reason)})
				}
			}
		}
		return problems
	},
	Fails: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: Service\nmetadata: {name: extra}\nspec:\n  portz: [{port: 80}]\n  publishNotReadyAddresses: maybe\n"),
	}, {
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: extra}\nspec: {maxUnavailable: 1}\n"),
	}},
	Passes: []Example{{
		Fleet: "platforms: [{namespace: team-a}]",
		Files: renders("apiVersion: v1\nkind: Service\nmetadata: {name: extra}\nspec:\n  ports: [{port: 80}]\n"),
	}},
}

// lifecycle says why a version of Kubernetes does not serve a type, or "".
func lifecycle(object runtime.Object, kube string) string {
	target, err := semver.NewVersion(kube)
	if err != nil || object == nil {
		return ""
	}
	minor := func(major, minor int) uint64 { return uint64(major)*1000 + uint64(minor) }
	have := target.Major()*1000 + target.Minor()
	if o, ok := object.(interface{ APILifecycleRemoved() (int, int) }); ok {
		if major, m := o.APILifecycleRemoved(); have >= minor(major, m) {
			return fmt.Sprintf("which Kubernetes %d.%d no longer serves (the target is %s)", major, m, kube)
		}
	}
	if o, ok := object.(interface{ APILifecycleIntroduced() (int, int) }); ok {
		if major, m := o.APILifecycleIntroduced(); have < minor(major, m) {
			return fmt.Sprintf("which Kubernetes serves from %d.%d on (the target is %s)", major, m, kube)
		}
	}
	return ""
}
