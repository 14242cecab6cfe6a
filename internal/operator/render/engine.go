package render

import (
	"fmt"
	"regexp"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// A Python interpreter running one of the engines' modules, within one command
// of a shell line.
var engineModule = regexp.MustCompile(`python\S*[^|&;\n]*?\s-m\s[^|&;\n]*?\bdynamo\.(vllm|sglang|trtllm)\b`)

// Engine tells which inference engine a service runs: the one seen in its
// command, or else the one that the graph declares, or else none. It fails
// when the command shows two engines or another one than declared.
func Engine(declared v1alpha1.BackendFramework, spec *v1alpha1.DynamoComponentDeploymentSharedSpec) (v1alpha1.BackendFramework, error) {
	if !typeOf(spec.ComponentType).runsEngine {
		return "", nil
	}
	seen, err := engineInCommand(spec)
	if err != nil || seen == "" {
		return declared, err
	}
	if declared != "" && seen != declared {
		return "", fmt.Errorf("the command runs dynamo.%s, but backendFramework is %s", seen, declared)
	}
	return seen, nil
}

func engineInCommand(spec *v1alpha1.DynamoComponentDeploymentSharedSpec) (v1alpha1.BackendFramework, error) {
	line := commandLine(spec)
	seen := ""
	for _, match := range engineModule.FindAllStringSubmatch(line, -1) {
		if seen != "" && seen != match[1] {
			return "", fmt.Errorf("the command runs both dynamo.%s and dynamo.%s", seen, match[1])
		}
		seen = match[1]
	}
	return v1alpha1.BackendFramework(seen), nil
}
