// The Gateway API, whose definitions tests install. A module of its own keeps it
// out of what is built.
module github.com/wheelhouse-dev/wheelhouse/test/thirdparty/gateway

go 1.26.0

require sigs.k8s.io/gateway-api v1.6.3
