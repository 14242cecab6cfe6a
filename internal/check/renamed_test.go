package check_test

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
)

func TestALaterKeyInstallsToo(t *testing.T) {
	for _, c := range []ruleCase{
		{name: "NATS installed by a later key", spec: "  values:\n  - platform: {global: {nats: {install: true}}, dynamo-operator: {nats: {enabled: true}}}\n  platforms: [{namespace: a}]\n"},
		{
			name: "NATS turned off by a later key", spec: "  values:\n  - platform: {global: {nats: {install: false}}, dynamo-operator: {nats: {enabled: true}}}\n  platforms: [{namespace: a}]\n",
			want: "tells its workloads about nats",
		},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, check.Values) })
	}
}
