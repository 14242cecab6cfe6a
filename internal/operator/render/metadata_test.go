package render

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever validation lets pass: no object that a controller or a Service
// selects by its metadata carries a user's word in the platform's place.
func TestReservedMetadataReachesNoObject(t *testing.T) {
	const evil = "{nvidia.com/selector: evil, dgdr.nvidia.com/name: evil, app.kubernetes.io/name: evil, meta.helm.sh/release-name: evil, helm.sh/chart: evil, wheelhouse.dev/fleet: evil, team: mine}"
	objects := renderService(t, `
services:
  S:
    labels: `+evil+`
    annotations: `+evil+`
    extraPodMetadata: {labels: `+evil+`, annotations: `+evil+`}
    ingress: {enabled: true, host: x, labels: `+evil+`, annotations: `+evil+`}
    extraPodSpec: {volumes: [{name: v, ephemeral: {volumeClaimTemplate: {metadata: {labels: `+evil+`, annotations: `+evil+`}, spec: {}}}}]}
`)
	for name, object := range map[string]any{"Deployment": objects.Deployment, "Service": objects.Service, "Ingress": objects.Ingress} {
		data, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "evil") {
			t.Errorf("a reserved key of the user reached the %s: %s", name, data)
		}
		if !strings.Contains(string(data), `"team":"mine"`) {
			t.Errorf("a free key of the user did not reach the %s", name)
		}
	}
}

func TestOnlyAllowedAnnotationsReachWhatIsShared(t *testing.T) {
	const annotations = "{nginx.ingress.kubernetes.io/proxy-read-timeout: '600', nginx.ingress.kubernetes.io/server-snippet: x, example.com/a: b}"
	objects := renderService(t, "services: {S: {annotations: "+annotations+", ingress: {enabled: true, host: x, annotations: "+annotations+"}}}")
	for name, got := range map[string]map[string]string{"Service": objects.Service.Annotations, "Ingress": objects.Ingress.Annotations} {
		if len(got) != 1 || got["nginx.ingress.kubernetes.io/proxy-read-timeout"] != "600" {
			t.Errorf("annotations of the %s: %v, want the allowed one alone", name, got)
		}
	}
	if got := objects.Deployment.Annotations; len(got) != 3 {
		t.Errorf("annotations of the Deployment: %v, want all three", got)
	}
}
