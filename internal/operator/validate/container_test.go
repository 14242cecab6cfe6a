package validate

import (
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
)

// TestContainersThatKubernetesWouldRefuse: each of these came of a random graph.
func TestContainersThatKubernetesWouldRefuse(t *testing.T) {
	const extra = "spec.services[Worker].extraPodSpec."
	for name, tc := range map[string]struct{ service, want string }{
		"right": {`{envs: [{name: A.b}], extraPodSpec: {volumes: [{name: x, emptyDir: {}}], tolerations: [{key: gpu, operator: Exists}], containers: [{name: s, image: i}],
			mainContainer: {image: i, volumeMounts: [{name: x, mountPath: /x}, {name: shared-memory, mountPath: /y}]}}}`, ""},
		"a mount of nothing":       {`{extraPodSpec: {mainContainer: {image: i, volumeMounts: [{name: x, mountPath: /x}]}}}`, extra + "mainContainer.volumeMounts[0].name"},
		"a mount nowhere":          {`{extraPodSpec: {mainContainer: {image: i, volumeMounts: [{name: shared-memory}]}}}`, extra + "mainContainer.volumeMounts[0].mountPath"},
		"a port that is not there": {`{extraPodSpec: {mainContainer: {image: i, ports: [{containerPort: 79090}]}}}`, extra + "mainContainer.ports[0].containerPort"},
		"a port's long name":       {`{extraPodSpec: {mainContainer: {image: i, ports: [{name: a-name-that-is-too-long, containerPort: 1}]}}}`, extra + "mainContainer.ports[0].name"},
		"a variable without name":  {`{envs: [{value: x}], extraPodSpec: {mainContainer: {image: i}}}`, "spec.services[Worker].envs[0].name"},
		"a probe's times":          {`{componentType: worker, readinessProbe: {timeoutSeconds: -1}, extraPodSpec: {mainContainer: {image: i}}}`, "readinessProbe.timeoutSeconds"},
		"a probe's port":           {`{livenessProbe: {tcpSocket: {port: 70000}}, extraPodSpec: {mainContainer: {image: i}}}`, "livenessProbe.tcpSocket.port"},
		"liveness twice":           {`{componentType: worker, livenessProbe: {successThreshold: 2}, extraPodSpec: {mainContainer: {image: i}}}`, "livenessProbe.successThreshold"},
		"a sidecar without image":  {`{extraPodSpec: {mainContainer: {image: i}, containers: [{name: s}]}}`, extra + "containers[0].image"},
		"two of a name":            {`{extraPodSpec: {mainContainer: {image: i}, containers: [{name: s, image: i}], initContainers: [{name: s, image: i}]}}`, extra + "initContainers[0].name"},
		"a volume's name":          {`{extraPodSpec: {mainContainer: {image: i}, volumes: [{name: A, emptyDir: {}}]}}`, extra + "volumes[0].name"},
		"a toleration's value":     {`{extraPodSpec: {mainContainer: {image: i}, tolerations: [{key: a, operator: Exists, value: x}]}}`, extra + "tolerations[0].value"},
		"less than no GPU":         {`{resources: {limits: {gpu: "-1"}}, extraPodSpec: {mainContainer: {image: i}}}`, "spec.services[Worker].resources.limits"},
	} {
		t.Run(name, func(t *testing.T) {
			service := &v1alpha1.DynamoComponentDeploymentSharedSpec{}
			if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(tc.service, "\t", "")), service); err != nil {
				t.Fatal(err)
			}
			dgd := &v1alpha1.DynamoGraphDeployment{}
			dgd.Namespace, dgd.Name = "a", "chat"
			dgd.Spec.Services = map[string]*v1alpha1.DynamoComponentDeploymentSharedSpec{"Worker": service}
			errs, _ := Graph(dgd, config.Default())
			switch {
			case tc.want == "" && len(errs) == 0:
			case tc.want == "" || len(errs) == 0 || !strings.HasSuffix(errs[0].Field, tc.want):
				t.Errorf("got %v, want one of %s", errs, tc.want)
			}
		})
	}
}
