package conversion

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/api/v1beta1"
)

// BenchmarkReview is what one request of the API server costs the program that
// converts: a graph of four components, as a read and as a write in v1beta1.
func BenchmarkReview(b *testing.B) {
	component := `{"name":"NAME","type":"decode","replicas":2,"podTemplate":{"spec":{"nodeSelector":{"a":"b"},"containers":[{"name":"main","image":"i","args":["python3 -m dynamo.vllm"],` +
		`"env":[{"name":"A","value":"1"}],"resources":{"limits":{"nvidia.com/gpu":"8"}},"volumeMounts":[{"name":"v","mountPath":"/v"}]}],"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":"c"}}]}}}`
	var components []string
	for _, name := range []string{"a", "b", "c", "d"} {
		components = append(components, strings.Replace(component, "NAME", name, 1))
	}
	beta := `{"apiVersion":"nvidia.com/v1beta1","kind":"DynamoGraphDeployment","metadata":{"name":"g","namespace":"n"},"spec":{"components":[` + strings.Join(components, ",") + `]}}`
	var graph v1beta1.DynamoGraphDeployment
	if err := json.Unmarshal([]byte(beta), &graph); err != nil {
		b.Fatal(err)
	}
	alpha, err := json.Marshal(GraphToAlpha(&graph))
	if err != nil {
		b.Fatal(err)
	}
	for name, c := range map[string]struct{ to, object string }{"read": {"nvidia.com/v1beta1", string(alpha)}, "write": {"nvidia.com/v1alpha1", beta}} {
		b.Run(name, func(b *testing.B) {
			body := []byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"u","desiredAPIVersion":"` + c.to + `","objects":[` + c.object + `]}}`)
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if _, err := Review(body); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
		})
	}
}
