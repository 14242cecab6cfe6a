package chart

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

// Objects stand in the order in which Helm would have put them, and what Helm
// runs as a hook is no object of the release.
func TestObjectsAreInHelmsOrder(t *testing.T) {
	files := map[string]string{
		"p/templates/_helpers.yaml": "kind: Never\n",
		"p/templates/empty.yaml":    " \n---\n\n",
		"p/templates/comment.yaml":  "# A licence.\n",
		"p/templates/unknown.yaml":  "kind: Never\nmetadata: {annotations: {helm.sh/hook: some-day}}\n",
		"p/templates/z.yaml":        "# first\nkind: Namespace\napiVersion: v1\nmetadata: {name: z}\n",
		"p/templates/hook.yaml":     "apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: hook\n  annotations:\n    helm.sh/hook: pre-install\n",
		"p/templates/one.yaml":      "{apiVersion: v1, kind: Service, metadata: {name: one}}\n---\napiVersion: nvidia.com/v1\nkind: Zebra\nmetadata:\n  name: zebra\n",
	}
	for i := range 12 {
		files["p/templates/a.yaml"] += fmt.Sprintf("---\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: map-%d\n---\napiVersion: nvidia.com/v1\nkind: Ant\nmetadata:\n  name: ant-%d\nspec:\n  - x\n", i, i)
	}
	hooks, want, err := releaseutil.SortManifests(files, nil, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	got, err := arrange(files)
	if err != nil || len(got.Hooks) != 1 || len(hooks) != 1 {
		t.Fatalf("%d hooks, Helm finds %d (%v)", len(got.Hooks), len(hooks), err)
	}
	var helms strings.Builder
	for _, m := range want {
		fmt.Fprintf(&helms, "---\n# Source: %s\n%s\n", m.Name, m.Content)
	}
	if diff := cmp.Diff(helms.String(), got.Manifest); diff != "" {
		t.Error(diff)
	}
	if len(got.Objects) != len(want)-1 {
		t.Errorf("%d objects of %d documents, of which one is a comment", len(got.Objects), len(want))
	}
	if _, err := arrange(map[string]string{"p/templates/bad.yaml": "kind: [\n"}); err == nil {
		t.Error("what is not YAML was accepted")
	}
}
