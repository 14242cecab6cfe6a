package attacks

import (
	"io/fs"
	"regexp"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/docs"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

// opens is advice that makes a namespace admit more than before: to label it
// so, or to grant more.
var opens = regexp.MustCompile(`(?i)(kubectl label[^\n]*pod-security|pod-security\.kubernetes\.io/(enforce|warn|audit)=(privileged|baseline)|create (cluster)?rolebinding|--clusterrole[= ]cluster-admin|label[^\n]*enforce=privileged)`)

func TestNoRuleOpensANamespace(t *testing.T) {
	a := begin(t, "an administrator follows every rule's fix", "no namespace admits more than before")
	rules := check.Rules()
	for _, rule := range rules {
		if found := opens.FindString(rule.Fix); found != "" {
			a.broke("rule %s advises %q", rule.ID, found)
		}
	}
	pages := 0
	err := fs.WalkDir(docs.Rules, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		page, err := fs.ReadFile(docs.Rules, path)
		if found := opens.Find(page); found != nil {
			a.broke("page %s advises %q", path, found)
		}
		pages++
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !opens.MatchString("kubectl label --overwrite namespace team-a pod-security.kubernetes.io/enforce=privileged") {
		t.Error("advice of the kind that there was is no longer recognised")
	}
	a.came("%d rules and %d pages advise nothing of the kind", len(rules), pages)
}
