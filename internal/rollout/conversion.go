package rollout

import (
	"context"
	"fmt"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// The release that converts objects is there before the definitions that ask for
// it, and goes after them: without it nothing can be read in a version in which
// it is not stored. What is older than a program, that program can convert, so
// nothing that goes back takes it away.

// converts reports whether a release is the one that converts objects.
func converts(key fleet.Key) bool { return key.Name == fleet.ConversionRelease }

// ofCluster reports whether a chart is of the cluster and not of a platform.
func ofCluster(chart string) bool { return chart == fleet.ChartCRDs || chart == fleet.ChartConversion }

// withoutConversion adds to what a release waits for what that means to others, if it
// is the one that converts.
func withoutConversion(key fleet.Key, gate string) string {
	if !converts(key) {
		return gate
	}
	return fmt.Sprintf("%s; while no pod of it is ready, requests in nvidia.com/v1beta1 fail and name Service %s, and those in v1alpha1 and operators go on; "+
		"`wheelhouse apply --drift` makes anew what somebody deleted or scaled", gate, key)
}

const conversionStays = "it converts objects that may have been written in another version; `wheelhouse apply --prune` removes it where no file asks for it"

// unneeded refuses to remove a release that definitions still ask to convert.
func (e *execution) unneeded(ctx context.Context, key fleet.Key) error {
	if !converts(key) {
		return nil
	}
	users, err := e.cluster.ConvertedBy(ctx, key)
	if err != nil || len(users) == 0 {
		return err
	}
	return fmt.Errorf("release %s stays: it converts the objects of %s, which could not be read without it; set spec.crds.conversion to false and apply, then remove it",
		key, strings.Join(users, ", "))
}
