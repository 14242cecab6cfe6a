// Command epp is the endpoint picker of the Gateway API inference extension with
// one plug-in more: published graphs name Dynamo's scorer, whose own program has no
// source here, so a scorer by queues answers to its name.
package main

import (
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/gateway-api-inference-extension/cmd/epp/runner"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/plugins"
	"sigs.k8s.io/gateway-api-inference-extension/pkg/epp/scheduling/framework/plugins/scorer"
)

func main() {
	plugins.Register("kv-aware-scorer", scorer.QueueScorerFactory)
	if err := runner.NewRunner().Run(ctrl.SetupSignalHandler()); err != nil {
		os.Exit(1)
	}
}
