// Where the definitions of other projects' kinds come from, which tests hold
// our objects against. Nothing is built from these modules.
module github.com/wheelhouse-dev/wheelhouse/test/charts/kinds

go 1.26.0

require (
	github.com/cert-manager/cert-manager v1.21.2
	github.com/prometheus-operator/prometheus-operator v0.85.0
)
