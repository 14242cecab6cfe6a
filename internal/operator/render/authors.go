package render

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

var (
	refusedObject    = regexp.MustCompile(`^.*?\b[A-Z]\w*(\.[\w.]+)? "[^"]*" is invalid: |^.*?failed to create typed patch object \([^)]*\): (?:errors:\s*)?\.?`)
	renderedTemplate = regexp.MustCompile(`\bspec\.(?:template|leaderWorkerTemplate\.(?:leader|worker)Template)\.(spec|metadata)\b(\.containers\[(\d+)\])?`)
)

// AuthorsWords tells what the API server finds invalid in the workload of a
// component with the paths of what its author wrote.
func (o *ComponentObjects) AuthorsWords(err error) string {
	message := refusedObject.ReplaceAllString(err.Error(), "")
	message = strings.ReplaceAll(message, "field not declared in schema", "this version of Kubernetes has no such field")
	return renderedTemplate.ReplaceAllStringFunc(message, func(path string) string {
		parts := renderedTemplate.FindStringSubmatch(path)
		if parts[1] == "metadata" {
			return "extraPodMetadata"
		}
		if parts[3] == "" {
			return "extraPodSpec"
		}
		containers := o.pods().Spec.Containers
		for i := range containers {
			if containers[i].Name == v1alpha1.MainContainerName && parts[3] == fmt.Sprint(i) {
				return "extraPodSpec.mainContainer"
			}
		}
		// Those of the author's come first, in their order.
		return "extraPodSpec" + parts[2]
	})
}
