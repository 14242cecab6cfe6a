package fleet

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWavesHaveAnOrder(t *testing.T) {
	for name, tc := range map[string]struct {
		declared string
		// platforms are waves, in the order of the file.
		platforms []string
		want      []string
		problem   string
	}{
		"none":            {platforms: []string{"", ""}},
		"as they appear":  {platforms: []string{"canary", "main", "canary"}, want: []string{"canary", "main"}},
		"the rest, last":  {platforms: []string{"", "canary"}, want: []string{"canary", ""}},
		"as declared":     {declared: "[canary, unused, main]", platforms: []string{"main", "", "canary"}, want: []string{"canary", "main", ""}},
		"not declared":    {declared: "[canary]", platforms: []string{"main"}, problem: `platform n0 is in wave "main", which spec.waves does not list`},
		"declared twice":  {declared: "[canary, canary]", platforms: []string{"canary"}, problem: `spec.waves names "canary" twice`},
		"not a wave name": {declared: "[a b]", platforms: []string{"canary"}, problem: `spec.waves[0] "a b" is not a label value`},
	} {
		t.Run(name, func(t *testing.T) {
			text := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n"
			if tc.declared != "" {
				text += "  waves: " + tc.declared + "\n"
			}
			text += "  platforms:\n"
			for i, wave := range tc.platforms {
				text += fmt.Sprintf("  - {namespace: n%d", i)
				if wave != "" {
					text += ", wave: " + wave
				}
				text += "}\n"
			}
			f, err := Parse("fleet.yaml", []byte(text))
			var set *Set
			if err == nil {
				set, err = Resolve(f, Input{Defaults: map[string]*Value{}})
			}
			if tc.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tc.problem) {
					t.Errorf("got %v, want %s", err, tc.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, set.Waves); diff != "" {
				t.Error(diff)
			}
		})
	}
}
