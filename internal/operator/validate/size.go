package validate

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// SizeLimit is the most that all objects of one graph may take, in bytes of
// JSON. The API server takes 1.5 MiB in one object and writes every one of them
// into the store that all tenants share, where old revisions and pods are
// further copies. The largest published graph needs less than a twentieth.
const SizeLimit = 1 << 20

// added is what the operator may add to a component of a graph that has passed,
// such as the id of a restart.
const added = 16 << 10

// hugeGraph refuses a graph that is too large whatever is made of it. To go on
// looking at it would cost the operator more than it cost its author.
func hugeGraph(dgd *v1alpha1.DynamoGraphDeployment) field.ErrorList {
	copies := 2 * len(dgd.Spec.Services)
	most := copies * bytesOf(dgd.Spec.Envs)
	largest, note, total := specPath.Child("envs"), copied(copies), most
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		size := bytesOf(dgd.Spec.Services[name])
		if total += size; size > most {
			largest, note, most = specPath.Child("services").Key(name), "", size
		}
	}
	if total <= SizeLimit {
		return nil
	}
	return field.ErrorList{tooLarge(largest, "the objects of the graph take", total, note, most)}
}

func copied(times int) string { return fmt.Sprintf(", which is copied %d times,", times) }

// graphSize refuses a graph whose objects are too large together. What stands
// in the graph once may stand in the objects fifty times.
func graphSize(dgd *v1alpha1.DynamoGraphDeployment, cfg *config.OperatorConfiguration) field.ErrorList {
	components := render.Components(dgd, cfg, render.Current)
	// The graph's variables stand in each component and in its Deployment.
	copies := 2 * len(components)
	largest, note, most, total := specPath.Child("envs"), copied(copies), copies*bytesOf(dgd.Spec.Envs), 0
	for _, component := range components {
		size, err := componentBytes(component, cfg)
		if err != nil {
			return field.ErrorList{field.InternalError(specPath, err)}
		}
		if total += size; size > most {
			largest, note, most = specPath.Child("services").Key(component.Spec.ServiceName), "", size
		}
	}
	if total <= SizeLimit {
		return nil
	}
	return field.ErrorList{tooLarge(largest, "the objects of the graph take", total, note, most)}
}

// componentSize is the same for a component that stands alone.
func componentSize(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) field.ErrorList {
	size, err := componentBytes(dcd, cfg)
	if err != nil {
		return field.ErrorList{field.InternalError(specPath, err)}
	}
	if size <= SizeLimit+added {
		return nil
	}
	return field.ErrorList{tooLarge(specPath, "the objects of the component take", size, "", size)}
}

func tooLarge(path *field.Path, subject string, total int, note string, part int) *field.Error {
	return field.Forbidden(path, fmt.Sprintf("%s %d KiB together, and %d KiB is the most; this field%s makes %d KiB of it: move large texts into a ConfigMap",
		subject, total>>10, SizeLimit>>10, note, part>>10))
}

// componentBytes is the size of a component and of what it renders, without what
// the API server keeps about it.
func componentBytes(dcd *v1alpha1.DynamoComponentDeployment, cfg *config.OperatorConfiguration) (int, error) {
	objects, err := render.Component(dcd, cfg)
	if err != nil {
		return 0, err
	}
	return bytesOf(dcd.Labels) + bytesOf(dcd.Spec) + bytesOf(objects.Deployment) + bytesOf(objects.LeaderWorkerSet) + bytesOf(objects.Service) + bytesOf(objects.Ingress) + bytesOf(objects.VirtualService) + bytesOf(objects.HTTPRoute), nil
}

// bytesOf counts nothing for what cannot be encoded: it cannot be sent either.
func bytesOf(value any) int {
	data, err := json.Marshal(value)
	if err != nil {
		return 0
	}
	return len(data)
}
