package fleet

import "testing"

func TestNothingOfALongerSecretStays(t *testing.T) {
	short, long := &Value{Leaf: "abcd", Sealed: "x"}, &Value{Leaf: "abcdef-99", Sealed: "y"}
	hide := HidingSealed(short, long)
	for message, want := range map[string]string{
		"nothing":                     "nothing",
		`"abcdef-99" is not a number`: `"` + Hidden + `" is not a number`,
		"abcd, abcdef-99":             Hidden + ", " + Hidden,
		"YWJjZGVmLTk5":                Hidden,
	} {
		if got := hide(message); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}
