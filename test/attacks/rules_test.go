package attacks

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

// opens is advice that makes a namespace admit more than before, or its users
// able to do more: a label, a binding, a right to everything.
var opens = regexp.MustCompile(`(?i)(kubectl label[^\n]*pod-security|pod-security\.kubernetes\.io/(enforce|warn|audit)(=(privileged|baseline)|: *"?privileged)|` +
	`label[^\n]*enforce=privileged|create (cluster)?rolebinding|--clusterrole[= ]cluster-admin|name: *"?cluster-admin|--verb[= ]['"]?\*|(verbs|resources|apiGroups): *\[['"]?\*)`)

// advice are the folders and files whose texts reach people: programs with their
// messages, charts with their refusals and notes, pages.
var advice = []string{"internal", "cmd", "api", "charts", "docs", "demo", "images", "README.md"}

func TestNoRuleOpensANamespace(t *testing.T) {
	a := begin(t)
	rules := check.Rules()
	for _, rule := range rules {
		if found := opens.FindString(rule.Fix); found != "" {
			a.broke("rule %s advises %q", rule.ID, found)
		}
	}
	files := 0
	for _, from := range advice {
		err := filepath.WalkDir(filepath.Join("../..", from), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !reachesPeople(path) {
				return err
			}
			content, err := os.ReadFile(path)
			if found := opens.Find(content); found != nil {
				a.broke("%s says %q", path, found)
			}
			files++
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, known := range []string{
		"kubectl label --overwrite namespace team-a pod-security.kubernetes.io/enforce=privileged", `pod-security.kubernetes.io/enforce: "privileged"`,
		"kubectl create clusterrolebinding x --clusterrole=cluster-admin", "roleRef: {kind: ClusterRole, name: cluster-admin}", `verbs: ["*"]`, "kubectl create role x --verb='*'",
	} {
		if !opens.MatchString(known) {
			t.Errorf("advice of a kind that there was is not recognised: %s", known)
		}
	}
	if files < 300 {
		t.Errorf("%d files were looked at, want all with texts", files)
	}
	a.came("%d rules and %d files advise nothing of the kind", len(rules), files)
}

// reachesPeople: tests quote what they refuse.
func reachesPeople(path string) bool {
	if strings.HasSuffix(path, "_test.go") || strings.Contains(path, "/tests/") || strings.Contains(path, "/testdata/") {
		return false
	}
	return slices.Contains([]string{".go", ".md", ".yaml", ".tpl", ".txt"}, filepath.Ext(path)) || filepath.Base(path) == "run"
}
