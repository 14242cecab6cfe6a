{{/* What the schema cannot say: settings that must agree with each other or with the release. */}}
{{- define "dynamo-operator.validate" -}}
{{- with .Values.namespaceRestriction -}}
{{- if and .targetNamespace (not .enabled) -}}
{{- fail (printf "namespaceRestriction.targetNamespace is %q, but namespaceRestriction.enabled is false, so the operator serves every namespace. Set enabled to true, or leave targetNamespace empty." .targetNamespace) -}}
{{- end -}}
{{- end -}}
{{- if and (include "dynamo-operator.restricted" .) (eq (toString .Values.kaiScheduler.createQueues) "true") -}}
{{- fail "kaiScheduler.createQueues is true, but queues belong to the cluster, and a namespace-restricted operator has no right outside its namespace. Create the queues dynamo-default and dynamo once, and leave the key at auto." -}}
{{- end -}}
{{- with .Values.dynamo -}}
{{- if and .ingress.enabled (not .ingress.className) -}}
{{- fail "dynamo.ingress.enabled is true, but dynamo.ingress.className is empty: name the IngressClass that default Ingresses should use." -}}
{{- end -}}
{{- if and .istio.enabled (not .istio.gateway) -}}
{{- fail "dynamo.istio.enabled is true, but dynamo.istio.gateway is empty: name the gateway that default VirtualServices should use, as NAMESPACE/NAME." -}}
{{- end -}}
{{- if and .istio.enabled .ingress.enabled -}}
{{- fail "dynamo.istio.enabled and dynamo.ingress.enabled are both true, but a frontend is exposed by one of them unless its graph says which. Set one of them to false." -}}
{{- end -}}
{{- if and .gateway.enabled (not .gateway.gateway) -}}
{{- fail "dynamo.gateway.enabled is true, but dynamo.gateway.gateway is empty: name the Gateway that HTTPRoutes should lead to, as NAMESPACE/NAME." -}}
{{- end -}}
{{- if and .gateway.enabled (or .istio.enabled .ingress.enabled) -}}
{{- fail (printf "dynamo.gateway.enabled and dynamo.%s.enabled are both true, but a frontend is exposed by one of them. Set one of them to false." (.istio.enabled | ternary "istio" "ingress")) -}}
{{- end -}}
{{- if and .dockerRegistry.useKubernetesSecret (not .dockerRegistry.existingSecretName) -}}
{{- fail "dynamo.dockerRegistry.useKubernetesSecret is true, but dynamo.dockerRegistry.existingSecretName is empty: create a Secret (kubectl create secret docker-registry NAME ...) in the namespaces of your graphs and name it there." -}}
{{- end -}}
{{- end -}}
{{- range $name := list "nats" "etcd" -}}
{{- if and (eq (include "dynamo-operator.standsAlone" $) "yes") (eq (toString (index $.Values $name).enabled) "true") (not (index $.Values (printf "%sAddr" $name))) -}}
{{- fail (printf "%s.enabled is true, but this chart alone installs no %s, and %sAddr is empty: set it to the address of yours, or %s.enabled to auto." $name $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- if and (eq (toString .Values.metricsService.serviceMonitor.enabled) "true") (not (include "dynamo-operator.servesMetrics" .)) -}}
{{- fail (printf "metricsService.serviceMonitor.enabled is true, but the operator serves no metrics, because %s. Set it to false or auto." (include "dynamo-operator.restricted" . | eq "true" | ternary "a namespace-restricted operator cannot tell who may read them" "metricsService.enabled is false")) -}}
{{- end -}}
{{- if and (eq .Values.controllerManager.manager.image.repository "nvcr.io/nvidia/ai-dynamo/kubernetes-operator") (or .Values.controllerManager.manager.image.tag .Values.controllerManager.manager.image.digest) -}}
{{- fail "controllerManager.manager.image names an image of the published operator, which does not understand this chart's configuration. Remove repository, tag and digest, and set global.imageRegistry if images come from a mirror." -}}
{{- end -}}
{{- include "dynamo-operator.validateArgs" . -}}
{{- include "dynamo-operator.validateWebhook" . -}}
{{- end -}}

{{/* Flags of published operators, and the key that has taken the place of each. */}}
{{- define "dynamo-operator.validateArgs" -}}
{{- $inert := list "--health-probe-bind-address=:8081" "--metrics-bind-address=127.0.0.1:8080" "--leader-elect" "--leader-elect=true" "--leader-election-id=dynamo.nvidia.com" -}}
{{- $keys := dict
  "leader-election-id" "controllerManager.leaderElection.id"
  "leader-election-namespace" "controllerManager.leaderElection.namespace"
  "restrictedNamespace" "namespaceRestriction.enabled"
  "namespace-scope-lease-duration" "namespaceRestriction.lease.duration"
  "namespace-scope-lease-renew-interval" "namespaceRestriction.lease.renewInterval"
  "natsAddr" "natsAddr"
  "etcdAddr" "etcdAddr"
  "discovery-backend" "discoveryBackend"
  "model-express-url" "modelExpressURL"
  "prometheus-endpoint" "dynamo.metrics.prometheusEndpoint"
  "ingress-controller-class-name" "dynamo.ingress.className"
  "ingress-controller-tls-secret-name" "dynamo.ingress.tlsSecretName"
  "ingress-host-suffix" "dynamo.ingressHostSuffix"
  "istio-virtual-service-gateway" "dynamo.istio.gateway"
  "grove-termination-delay" "dynamo.groveTerminationDelay"
  "mpi-run-ssh-secret-name" "dynamo.mpiRun.secretName"
  "enable-webhooks" "webhook.enabled"
  "checkpoint-enabled" "checkpoint.enabled"
  "zap-log-level" "controllerManager.logLevel"
  "zap-devel" "controllerManager.logLevel"
  "metrics-bind-address" "metricsService.enabled" -}}
{{- range .Values.controllerManager.manager.args -}}
{{- if not (has . $inert) -}}
{{- $flag := regexReplaceAll "^-+([^=]*).*$" . "${1}" -}}
{{- if hasKey $keys $flag -}}
{{- fail (printf "controllerManager.manager.args has %q, but this operator takes no flags: set %s in its place." . (get $keys $flag)) -}}
{{- end -}}
{{- fail (printf "controllerManager.manager.args has %q, but this operator takes no flags, and no key of this chart has taken its place: remove it." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
