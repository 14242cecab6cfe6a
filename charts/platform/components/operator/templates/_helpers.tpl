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

{{/*
name: FN-SUFFIX of an object in a namespace; arguments: root, suffix. One that
would be longer than 63 characters is cut, and a digest keeps two of them apart.
*/}}
{{- define "dynamo-operator.name" -}}
{{- $fullname := include "dynamo-operator.fullname" (index . 0) -}}
{{- $room := sub 62 (len (index . 1)) | int -}}
{{- if gt (len $fullname) $room -}}
{{- $fullname = printf "%s-%s" ($fullname | trunc (sub $room 9 | int) | trimSuffix "-") ($fullname | sha256sum | trunc 8) -}}
{{- end -}}
{{- $fullname }}-{{ index . 1 -}}
{{- end -}}

{{/*
clusterName: the same for an object of the cluster. Several restricted releases
of one name, in different namespaces, have objects of their own.
*/}}
{{- define "dynamo-operator.clusterName" -}}
{{- $root := index . 0 -}}
{{- if not (include "dynamo-operator.restricted" $root) -}}
{{- include "dynamo-operator.name" . -}}
{{- else -}}
{{- $name := printf "%s-%s-%s" (include "dynamo-operator.fullname" $root) (index . 1) $root.Release.Namespace -}}
{{- if gt (len $name) 63 -}}
{{- $name = printf "%s-%s" ($name | trunc 54 | trimSuffix "-") (printf "%s/%s" $root.Release.Namespace $name | sha256sum | trunc 8) -}}
{{- end -}}
{{- $name -}}
{{- end -}}
{{- end -}}

{{/* subject is the operator in a binding. */}}
{{- define "dynamo-operator.subject" -}}
{kind: ServiceAccount, name: {{ include "dynamo-operator.name" (list . "controller-manager") }}, namespace: {{ .Release.Namespace | quote }}}
{{- end -}}

{{- define "dynamo-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "dynamo-operator.labels" -}}
{{- include "dynamo-operator.labelsAnd" (list . dict) -}}
{{- end -}}

{{/* Labels of an object that has further ones, which win over commonLabels; arguments: root, these. */}}
{{- define "dynamo-operator.labelsAnd" -}}
{{- $ := index . 0 -}}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "dynamo-operator.selectorLabels" $ }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
app.kubernetes.io/part-of: dynamo-operator
nvidia.com/dynamo-operator-namespace: {{ $.Release.Namespace | quote }}
{{- with mergeOverwrite (deepCopy (default dict $.Values.commonLabels)) (default dict (index . 1)) }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.image" -}}
{{- $image := .Values.controllerManager.manager.image -}}
{{- $repository := include "dynamo-operator.repository" . -}}
{{- $repository = include "dynamo-operator.mirrored" (list . $repository) -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* The published operator's name stands for this one, which alone understands this chart's configuration. */}}
{{- define "dynamo-operator.repository" -}}
{{- $repository := .Values.controllerManager.manager.image.repository -}}
{{- eq $repository "nvcr.io/nvidia/ai-dynamo/kubernetes-operator" | ternary "ghcr.io/wheelhouse-dev/dynamo-operator" $repository -}}
{{- end -}}

{{/* An image from global.imageRegistry; arguments: root, image. */}}
{{- define "dynamo-operator.mirrored" -}}
{{- $image := index . 1 -}}
{{- with (index . 0).Values.global.imageRegistry -}}
{{- $image = printf "%s/%s" (trimSuffix "/" .) (regexReplaceAll "^[^/]*[.:][^/]*/" $image "") -}}
{{- end -}}
{{- $image -}}
{{- end -}}

{{/* Pull secrets as a list of {name}, from [{name: x}] or [x], without duplicates. */}}
{{- define "dynamo-operator.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- range $names | uniq }}
- name: {{ . | quote }}
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.restricted" -}}
{{- if .Values.namespaceRestriction.enabled }}true{{ end -}}
{{- end -}}

{{/* The namespace that a restricted operator serves, which need not be the one that it runs in. */}}
{{- define "dynamo-operator.served" -}}
{{- if include "dynamo-operator.restricted" . }}{{ .Values.namespaceRestriction.targetNamespace | default .Release.Namespace }}{{ end -}}
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
{{- if and (ne (toString .Values.metricsService.enabled) "false") (not (include "dynamo-operator.restricted" .)) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.natsAddress" -}}
{{- include "dynamo-operator.address" (list . .Values.natsAddr .Values.nats.enabled "natsAddress") -}}
{{- end -}}

{{- define "dynamo-operator.etcdAddress" -}}
{{- include "dynamo-operator.address" (list . .Values.etcdAddr .Values.etcd.enabled "etcdAddress") -}}
{{- end -}}

{{/* address: the one that is given, or that of the bundled service; arguments: root, given, told, key of .Platform. */}}
{{- define "dynamo-operator.address" -}}
{{- if index . 1 -}}
{{- index . 1 -}}
{{- else if ne (toString (index . 2)) "false" -}}
{{- get ((index . 0).Platform | default dict) (index . 3) -}}
{{- end -}}
{{- end -}}
