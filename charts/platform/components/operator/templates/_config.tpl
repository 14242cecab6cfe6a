{{/* The operator's configuration file; internal/operator/config documents it. */}}
{{- define "dynamo-operator.config" -}}
apiVersion: operator.config.dynamo.nvidia.com/v1alpha1
kind: OperatorConfiguration
namespace:
  restricted: {{ include "dynamo-operator.served" . | quote }}
  scope:
    leaseDuration: {{ .Values.namespaceRestriction.lease.duration | quote }}
    leaseRenewInterval: {{ .Values.namespaceRestriction.lease.renewInterval | quote }}
leaderElection:
  enabled: true
  id: {{ include "dynamo-operator.leaderElectionID" . | quote }}
  namespace: {{ include "dynamo-operator.leaderElectionNamespace" . | quote }}
server:
  metrics:
    bindAddress: {{ include "dynamo-operator.servesMetrics" . | eq "true" | ternary ":8443" "0" | quote }}
    secure: true
  healthProbe:
    bindAddress: ":8081"
  {{- if .Values.controllerManager.profile }}
  profile:
    bindAddress: 127.0.0.1:6060
  {{- end }}
  webhook:
    {{- include "dynamo-operator.webhookConfig" . | nindent 4 }}
discovery:
  backend: {{ .Values.discoveryBackend }}
infrastructure:
  natsAddress: {{ include "dynamo-operator.natsAddress" . | quote }}
  etcdAddress: {{ include "dynamo-operator.etcdAddress" . | quote }}
  modelExpressURL: {{ .Values.modelExpressURL | quote }}
  prometheusEndpoint: {{ .Values.dynamo.metrics.prometheusEndpoint | quote }}
ingress:
  className: {{ .Values.dynamo.ingress.enabled | ternary (.Values.dynamo.ingress.className | default "") "" | quote }}
  virtualServiceGateway: {{ .Values.dynamo.istio.enabled | ternary (.Values.dynamo.istio.gateway | default "") "" | quote }}
  httpRouteGateway: {{ .Values.dynamo.gateway.enabled | ternary (.Values.dynamo.gateway.gateway | default "") "" | quote }}
  tlsSecretName: {{ .Values.dynamo.ingress.tlsSecretName | default "" | quote }}
  {{- with .Values.dynamo.ingressHostSuffix }}
  hostSuffix: {{ . | quote }}
  {{- end }}
  allowedHostSuffixes: {{ toJson .Values.dynamo.ingress.allowedHostSuffixes }}
  allowedAnnotationPrefixes: {{ toJson .Values.dynamo.ingress.allowedAnnotationPrefixes }}
rbac:
  plannerClusterRoleName: {{ include "dynamo-operator.restricted" . | eq "true" | ternary "" (include "dynamo-operator.name" (list . "planner")) | quote }}
  eppClusterRoleName: {{ include "dynamo-operator.restricted" . | eq "true" | ternary "" (ternary (include "dynamo-operator.name" (list . "epp")) "" (include "dynamo-operator.usesInferencePools" . | eq "true")) | quote }}
  dgdrProfilingClusterRoleName: {{ include "dynamo-operator.restricted" . | eq "true" | ternary "" (include "dynamo-operator.name" (list . "dgdr-profiling")) | quote }}
platform:
  serviceAccounts: {{ prepend .Values.dynamo.reserved.serviceAccounts (include "dynamo-operator.name" (list . "controller-manager")) | toJson }}
  secrets: {{ concat (list .Values.webhook.certificateSecret.name (include "dynamo-operator.name" (list . "root-ca-secret"))) .Values.dynamo.reserved.secrets | toJson }}
components:
  serviceAccountAnnotations: {{ toJson .Values.dynamo.components.serviceAccount.annotations }}
  imagePullSecrets: [{{ with include "dynamo-operator.componentPullSecret" . }}{{ . | quote }}{{ end }}]
  debuggerImage: {{ include "dynamo-operator.mirrored" (list . .Values.dynamo.internalImages.debugger) | quote }}
profiling:
  publisherImage: {{ include "dynamo-operator.image" . | quote }}
  profilerImage: {{ with .Values.dynamo.internalImages.profiler }}{{ include "dynamo-operator.mirrored" (list $ .) | quote }}{{ else }}""{{ end }}
orchestrators:
  grove:
    enabled: {{ include "dynamo-operator.usesGrove" . | default "false" }}
    terminationDelay: {{ .Values.dynamo.groveTerminationDelay | default "0s" | quote }}
  kaiScheduler:
    enabled: {{ include "dynamo-operator.usesKAI" . | default "false" }}
    createQueues: {{ include "dynamo-operator.createsQueues" . | default "false" }}
  leaderWorkerSet:
    enabled: {{ include "dynamo-operator.usesLeaderWorkerSets" . | default "false" }}
  inferencePool:
    enabled: {{ include "dynamo-operator.usesInferencePools" . | default "false" }}
checkpoint:
  enabled: {{ .Values.checkpoint.enabled }}
  {{- if .Values.checkpoint.enabled }}
  agentImage: {{ include "dynamo-operator.mirrored" (list . (.Values.checkpoint.agentImage | default (printf "ghcr.io/wheelhouse-dev/chrek-agent:%s" .Chart.AppVersion))) | quote }}
  {{- end }}
  seccompProfile: {{ .Values.checkpoint.seccompProfile | quote }}
  basePath: {{ .Values.checkpoint.storage.pvc.basePath | quote }}
logging:
  level: {{ .Values.controllerManager.logLevel }}
{{- end -}}

{{/* componentPullSecret is the Secret for the pods of graphs, if there is one. */}}
{{- define "dynamo-operator.componentPullSecret" -}}
{{- with .Values.dynamo.dockerRegistry -}}
{{- if .useKubernetesSecret }}{{ .existingSecretName }}{{ end -}}
{{- end -}}
{{- end -}}
