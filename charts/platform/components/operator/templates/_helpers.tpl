{{/* fullname: the release name, with the chart's name unless it contains it. */}}
{{- define "dynamo-operator.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "dynamo-operator.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dynamo-operator.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: dynamo-operator
nvidia.com/dynamo-operator-namespace: {{ .Release.Namespace }}
{{- end -}}

{{- define "dynamo-operator.image" -}}
{{- $image := .Values.controllerManager.manager.image -}}
{{- $repository := $image.repository -}}
{{- with .Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^[^/]*[.:][^/]*/" $repository "") -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Pull secrets as a list of {name}, from [{name: x}] or [x], without duplicates. */}}
{{- define "dynamo-operator.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- range $names | uniq }}
- name: {{ . }}
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.restricted" -}}
{{- if .Values.namespaceRestriction.enabled }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.leaderElectionNamespace" -}}
{{- if .Values.controllerManager.leaderElection.namespace -}}
{{- .Values.controllerManager.leaderElection.namespace -}}
{{- else if include "dynamo-operator.restricted" . -}}
{{- .Release.Namespace -}}
{{- else -}}
kube-system
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.leaderElectionID" -}}
{{- default "dynamo.nvidia.com" .Values.controllerManager.leaderElection.id -}}
{{- end -}}

{{/* Metrics need TokenReview and SubjectAccessReview, which only cluster scope may have. */}}
{{- define "dynamo-operator.servesMetrics" -}}
{{- if and .Values.metricsService.enabled (not (include "dynamo-operator.restricted" .)) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.natsAddress" -}}
{{- if .Values.natsAddr -}}
{{- .Values.natsAddr -}}
{{- else if .Values.nats.enabled -}}
{{- printf "nats://%s-nats.%s.svc:4222" .Release.Name .Release.Namespace -}}
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.etcdAddress" -}}
{{- if .Values.etcdAddr -}}
{{- .Values.etcdAddr -}}
{{- else if .Values.etcd.enabled -}}
{{- printf "%s-etcd.%s.svc:2379" .Release.Name .Release.Namespace -}}
{{- end -}}
{{- end -}}
