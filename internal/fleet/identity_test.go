package fleet

import "testing"

// Whoever goes back or looks finds the journal even where values are wrong.
func TestTheIdentityHasTheJournal(t *testing.T) {
	for text, want := range map[string]string{
		"{platforms: [{namespace: a}]}":                                        DefaultJournal,
		"{journal: {namespace: team}, values: 7, platforms: [{namespace: a}]}": "team",
	} {
		f, err := Identify(memory{"fleet.yaml": "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec: " + text + "\n"}, "fleet.yaml", "")
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if f.Journal.Namespace.Value != want {
			t.Errorf("%s: got %q, want %q", text, f.Journal.Namespace.Value, want)
		}
	}
	if _, err := Identify(memory{"fleet.yaml": "metadata: {name: f}\nspec: {journal: {namespace: No_Name}}\n"}, "fleet.yaml", ""); err == nil {
		t.Error("a journal in a namespace that cannot be is no error")
	}
}
