// Command epp is the endpoint picker of the Gateway API inference extension with
// more plug-ins: published graphs name Dynamo's, whose own program has no source
// here, so simple ones answer to their names.
package main

import (
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/gateway-api-inference-extension/cmd/epp/runner"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/plugins"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/scheduling/framework/plugins/scorer"
)

func main() {
	plugins.Register("disagg-profile-handler", newProfiles)
	plugins.Register("label-filter", newLabelFilter)
	for _, name := range []string{"kv-aware-scorer", "dyn-prefill-scorer", "dyn-decode-scorer"} {
		plugins.Register(name, scorer.QueueScorerFactory)
	}
	if err := runner.NewRunner().Run(ctrl.SetupSignalHandler()); err != nil {
		os.Exit(1)
	}
}
