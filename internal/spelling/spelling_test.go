package spelling

import "testing"

func TestClosest(t *testing.T) {
	known := []string{"namespace", "release", "scope", "values", "wave"}
	for word, want := range map[string]string{
		"namesapce": "namespace", "Scope": "scope", "value": "values", "zzz": "", "wvae": "wave", "x": "",
	} {
		if got := Closest(word, known); got != want {
			t.Errorf("Closest(%q) = %q, want %q", word, got, want)
		}
	}
}
