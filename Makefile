# Everything a person types is a target here; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

VERSION ?= 1.0.0
MODULE := github.com/wheelhouse-dev/wheelhouse
LDFLAGS := -s -w -X $(MODULE)/internal/version.Version=$(VERSION)
# The same flags for every build, so that all of them share the build cache.
export GOFLAGS ?= -trimpath -buildvcs=false
export CGO_ENABLED ?= 0
export DRYDOCK := $(CURDIR)/bin/drydock
export PATH := $(CURDIR)/bin:$(PATH)

GO_SOURCES := $(shell find api charts cmd internal images -type f 2>/dev/null) go.mod go.sum
DRYDOCK_SOURCES := $(shell find drydock -name '*.go') drydock/go.mod drydock/go.sum

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

##@ The two commands
.PHONY: demo
demo: ## From nothing to a running platform for two tenants, on a one-node Kubernetes (root)
	@demo/run

.PHONY: demo-down
demo-down: bin/drydock ## Remove the demo's node and everything on it
	@bin/drydock down

.PHONY: test
test: ## All tests, with a summary at the end; as root also those on a real node
	@test/parts test-unit test-charts test-drydock test-node

##@ Parts of it
.PHONY: build
build: bin/wheelhouse bin/drydock bin/helm ## Build the command-line tools into bin/

bin/wheelhouse: $(GO_SOURCES)
	@echo "==> building $@"
	@go build -ldflags '$(LDFLAGS)' -o $@ ./cmd/wheelhouse

bin/drydock: $(DRYDOCK_SOURCES)
	@echo "==> building $@"
	@go build -C drydock -o $(CURDIR)/$@ ./cmd/drydock

# The stock Helm, to prove that our releases are ordinary ones.
bin/helm: go.mod
	@echo "==> building $@"
	@go build -ldflags '-s -w' -o $@ helm.sh/helm/v4/cmd/helm

.PHONY: images
images: ## Build the container images into dist/images, without a container engine
	@go run ./images/build --out dist/images

.PHONY: push
push: ## Push the images, for amd64 and arm64, and the charts to REGISTRY=registry.example.com/team; prints the lines for a fleet file
	@go run ./images/push --registry "$(REGISTRY)" --version "$(VERSION)"

.PHONY: charts
charts: ## Package the charts into dist/charts, installable offline by stock Helm
	@go run ./charts/package --out dist/charts

.PHONY: fixtures
fixtures: ## Build stand-ins for the third-party charts into dist/fixtures: images, and charts marked +fixtures
	@go run ./test/thirdparty/images --out dist/fixtures
	@go run ./charts/package --fixtures --out dist/fixtures

# The real NATS server, for the demo and the samples; LeaderWorkerSet, the endpoint picker and a runtime with Open MPI, for the samples.
dist/fixtures/fixture-trtllm.tar: $(GO_SOURCES)
dist/fixtures/fixture-%.tar: test/thirdparty/servers/go.mod test/thirdparty/lws/go.mod test/thirdparty/epp/go.mod test/thirdparty/epp/main.go test/thirdparty/images/main.go test/thirdparty/images/openmpi.go
	@go run ./test/thirdparty/images --out dist/fixtures fixture-$*

# Render thousands of times, each ten times slower under the race detector, under which the others of test/charts are run.
RENDERING := ^(TestEveryModeRenders|TestTextsStayTexts)$$

.PHONY: test-unit
test-unit: prerequisites build ## Unit tests, golden files and tests against a real API server
	@go vet ./...
	@CGO_ENABLED=1 go test -race -timeout 45m $$(go list ./... | grep -v /test/charts$$)
	@CGO_ENABLED=1 go test -race -timeout 30m -skip '$(RENDERING)' ./test/charts
	@go test -timeout 30m -run '$(RENDERING)' ./test/charts
	@cd tools && go vet ./... && go test ./...
	@cd test/thirdparty/servers && go vet ./...
	@cd test/thirdparty/epp && go vet ./...

bin/helm-unittest: tools/unittest/go.mod
	@echo "==> building $@"
	@go build -C tools/unittest -o $(CURDIR)/$@ github.com/helm-unittest/helm-unittest/cmd/helm-unittest

.PHONY: test-attacks
test-attacks: bin/drydock ## Make every attack that docs/security.md names; prints attack, expected, got
	@go run ./test/attacks/table

.PHONY: test-charts
test-charts: bin/helm-unittest ## The suites in the charts, run by helm-unittest, and what they miss without a key
	@rm -rf dist/suites && mkdir -p dist/suites
	@cp -R charts/platform dist/suites/platform && mkdir dist/suites/platform/charts
	@mv dist/suites/platform/components/operator dist/suites/platform/charts/dynamo-operator
	@rm -rf dist/suites/platform/components dist/suites/platform/charts/dynamo-operator/tests
	@cp -R test/thirdparty/charts/*/ dist/suites/platform/charts/
	@bin/helm-unittest charts/conversion charts/crds charts/chrek charts/platform/components/operator dist/suites/platform
	@echo "==> taking each key out of the tests that set it"
	@go run ./test/charts/suites charts/conversion charts/crds charts/chrek charts/platform/components/operator dist/suites/platform

.PHONY: fault-sweep
fault-sweep: bin/drydock ## Kill or stop wheelhouse after its k-th request, and disturb one request in ten
	@go run ./test/faults

.PHONY: test-drydock
test-drydock: prerequisites bin/drydock ## Tests of the one-node Kubernetes that need no root
	@$(MAKE) --no-print-directory -C drydock test

.PHONY: test-node
test-node: bin/wheelhouse bin/drydock bin/helm ## End-to-end tests on a real node (root)
	@if [ "$$(id -u)" != 0 ]; then \
	  echo "==> the end-to-end tests need root and did not run: sudo make test-node"; \
	else \
	  $(MAKE) --no-print-directory -C drydock node-test; \
	  $(MAKE) --no-print-directory images charts fixtures; \
	  go test -tags e2e -count=1 -timeout 40m -v ./test/e2e; \
	  go test -tags e2e -count=1 -timeout 20m -v ./test/webhook/node; \
	  go test -tags e2e -count=1 -timeout 20m -v -run TestNode ./test/thirdparty; \
	fi

.PHONY: e2e-chrek
e2e-chrek: prerequisites bin/drydock bin/wheelhouse ## Checkpoints of pods, taken and restored by CRIU on a real node (root)
	@go test -tags e2e -count=1 -timeout 40m -v ./test/chrek/node

.PHONY: e2e-registry
e2e-registry: bin/drydock bin/wheelhouse bin/helm ## From `make push` into a real registry with TLS and a password to a node that pulls from it, and upgrades (root)
	@go test -tags e2e -count=1 -timeout 40m -v ./test/registry

# What a version of Kubernetes could do differently: the manager, the CRDs, the webhooks, the operator with its samples, and,
# from 1.30 on, a second version of the kinds.
ANY_KUBERNETES = ./test/crds ./test/manager ./test/operator ./test/webhook $(if $(filter 1.29.%,$(KUBERNETES)),,./test/versions)

# VERSION is that of Kubernetes here; without one it is the oldest that our charts allow, in its last release.
.PHONY: test-kubernetes
test-kubernetes: KUBERNETES := $(if $(filter file,$(origin VERSION)),1.29.15,$(VERSION))
test-kubernetes: bin/drydock ## The tests against API server and controllers of Kubernetes VERSION=1.29.15, and the upgrade of such a cluster under a fleet
	@DRYDOCK_KUBERNETES="$(KUBERNETES)" go test -count=1 -timeout 45m $(ANY_KUBERNETES)
	@DRYDOCK_KUBERNETES="$(KUBERNETES)" go test -tags kubernetes -count=1 -timeout 20m -v ./test/kubernetes

.PHONY: samples
samples: bin/wheelhouse bin/drydock images bin/helm dist/fixtures/fixture-nats.tar dist/fixtures/fixture-lws.tar dist/fixtures/fixture-epp.tar dist/fixtures/fixture-trtllm.tar ## Run every graph in SAMPLES=DIR on a real node and print what became of it (root)
	@go run ./test/samples --dir "$(SAMPLES)"

.PHONY: chaos
chaos: bin/wheelhouse bin/drydock bin/helm images dist/fixtures/fixture-nats.tar dist/fixtures/fixture-lws.tar dist/fixtures/fixture-epp.tar dist/fixtures/fixture-trtllm.tar ## Disturb a graph on a real node that is asked all the time; a table of tried and held comes last (root)
	@go test -tags e2e,chaos -count=1 -timeout 40m -v -run '^TestChaos$$' ./test/e2e

.PHONY: e2e-doctor
e2e-doctor: bin/wheelhouse bin/drydock bin/helm images charts dist/fixtures/fixture-nats.tar dist/fixtures/fixture-lws.tar dist/fixtures/fixture-epp.tar dist/fixtures/fixture-trtllm.tar ## Make faults on a real node and see whether the doctor finds them; a table comes last (root)
	@go test -tags e2e,doctor -count=1 -timeout 40m -v -run '^TestDoctor$$' ./test/e2e

.PHONY: test-versions
test-versions: bin/wheelhouse bin/drydock bin/helm images dist/fixtures/fixture-nats.tar dist/fixtures/fixture-lws.tar dist/fixtures/fixture-epp.tar dist/fixtures/fixture-trtllm.tar ## The former version's operator and this one's beside each other on a real node (root, and the history of the sources)
	@go test -tags e2e,beside -count=1 -timeout 40m -v -run '^TestVersionsBesideEachOther$$' ./test/e2e

.PHONY: bench-fleet
bench-fleet: build charts ## Measure the manager against a floor and against helm; a table with bounds comes last
	@go run ./bench/fleet

.PHONY: bench-operator
bench-operator: bin/drydock ## Measure the operator on 1,000 graphs against applying what comes of them
	@go run ./bench/operator
	@go run ./bench/operator -version v1beta1
	@go test -run '^$$' -bench Review ./internal/conversion

.PHONY: fuzz-graphs
fuzz-graphs: bin/drydock ## Random graphs through admission and rendering; the API server and LeaderWorkerSet try 1,000 objects dry
	@OBJECTS=1000 go test ./test/operator -count=1 -v -run '^TestRandomGraphsSendNothingInvalid$$'

.PHONY: lint
lint: ## golangci-lint over all modules
	@go build -C tools/lint -o $(CURDIR)/bin/golangci-lint github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@bin/golangci-lint run ./...
	@bin/golangci-lint run --build-tags e2e ./test/...
	@cd drydock && ../bin/golangci-lint run --config ../.golangci.yml ./...
	@cd tools && ../bin/golangci-lint run --config ../.golangci.yml ./...

.PHONY: generate
generate: ## Regenerate CRDs and deep copies from api/, schemas and tables of values from values.yaml
	@go run -C tools ./crdgen
	@go run -C tools ./valuesgen

.PHONY: golden
golden: ## Update all golden files
	@go test ./test/charts ./test/profiles ./test/chrek ./internal/operator/render ./internal/check ./internal/report -run 'Golden|NoKeyIsSilent' -update
	@cd tools && go test ./promql -update

.PHONY: prerequisites
prerequisites:
	@command -v gcc >/dev/null || { \
	  echo "==> installing gcc, which the race detector needs"; \
	  apt-get update -qq && apt-get install -y -qq gcc libc6-dev; }

.PHONY: clean
clean: ## Delete what was built (not the node: make demo-down)
	@rm -rf bin dist
