package await

import "testing"

func TestWhoRemovesAFinalizer(t *testing.T) {
	for finalizer, want := range map[string]string{
		"nvidia.com/finalizer":         "the Dynamo operator",
		"kubernetes.io/pvc-protection": "Kubernetes, once no pod uses the claim",
		"foregroundDeletion":           "Kubernetes, once what the object owns is gone",
		"acme.example.com/clean-up":    "the program of acme.example.com",
		"odd":                          "the program that set it",
	} {
		if got := whoRemoves(finalizer); got != want {
			t.Errorf("%s: got %q, want %q", finalizer, got, want)
		}
	}
}
