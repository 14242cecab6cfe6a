// Where the definitions of other projects' kinds come from, which tests hold
// our objects against. Nothing is built from these modules.
module github.com/wheelhouse-dev/wheelhouse/test/charts/kinds

go 1.26.0

require (
	github.com/argoproj/argo-cd/v3 v3.2.0
	github.com/cert-manager/cert-manager v1.21.2
	github.com/fluxcd/helm-controller v1.4.0
	github.com/fluxcd/source-controller v1.7.0
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
