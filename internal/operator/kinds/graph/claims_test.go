package graph

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

func TestDifferences(t *testing.T) {
	const live = "{metadata: {name: weights, namespace: a}, spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}"
	for name, tc := range map[string]struct{ wanted, want string }{
		"the same":        {"{size: 1024Mi, storageClass: fast, volumeAccessMode: ReadWriteOnce}", ""},
		"class of any":    {"{size: 1Gi, volumeAccessMode: ReadWriteOnce}", ""},
		"larger":          {"{size: 2Gi, volumeAccessMode: ReadWriteOnce}", `PersistentVolumeClaim weights has 1Gi, and spec.pvcs[3].size says 2Gi: if its class lets it grow, kubectl -n a patch pvc weights -p '{"spec":{"resources":{"requests":{"storage":"2Gi"}}}}'`},
		"smaller":         {"{size: 1Mi, volumeAccessMode: ReadWriteOnce}", "PersistentVolumeClaim weights has 1Gi, and spec.pvcs[3].size says 1Mi: a claim does not shrink: correct the spec"},
		"of another kind": {"{size: 1Gi, storageClass: slow, volumeAccessMode: ReadWriteOnce}", "has class fast, and spec.pvcs[3].storageClass says slow"},
		"for many":        {"{size: 1Gi, volumeAccessMode: ReadWriteMany}", "has access ReadWriteOnce, and spec.pvcs[3].volumeAccessMode says ReadWriteMany"},
	} {
		t.Run(name, func(t *testing.T) {
			claim, wanted := &corev1.PersistentVolumeClaim{}, v1alpha1.PVC{}
			for text, into := range map[string]any{live: claim, tc.wanted: &wanted} {
				if err := yaml.Unmarshal([]byte(text), into); err != nil {
					t.Fatal(err)
				}
			}
			got := strings.Join(differences(3, wanted, claim), "; ")
			if (tc.want == "") != (got == "") || !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
