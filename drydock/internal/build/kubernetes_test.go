package build

import "testing"

func TestAModuleRequiresAllThatAVersionWasReleasedWith(t *testing.T) {
	const released = `module k8s.io/kubernetes

go 1.21

require (
	github.com/a/b v1.2.3
	k8s.io/api v0.0.0
)

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	github.com/a/b => github.com/c/b v1.2.4
)
`
	const want = `module components

go 1.21

require (
	github.com/a/b v1.2.3
	k8s.io/api v0.0.0
)

replace (
	k8s.io/api => k8s.io/api v0.29.15
	github.com/a/b => github.com/c/b v1.2.4
)

require (
	k8s.io/kubernetes v1.29.15
)
`
	if got := requiring(released, "1.29.15"); got != want {
		t.Errorf("the module is\n%s", got)
	}
}

func TestOnlyReleasesAreVersions(t *testing.T) {
	for version, ok := range map[string]bool{"1.29.15": true, "1.36.0": true, "": false, "1.29": false, "v1.29.15": false, "1.29.15-rc.1": false, "1.29.15/../x": false} {
		if err := CheckVersion(version); (err == nil) != ok {
			t.Errorf("%q: %v", version, err)
		}
	}
}
