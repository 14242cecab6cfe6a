{{- define "etcd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "etcd.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "etcd.selector" -}}
app.kubernetes.io/component: etcd
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/name: etcd
{{- end -}}

{{- define "etcd.labels" -}}
{{ include "etcd.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
wheelhouse.dev/fixture: "true"
{{- end -}}

{{- define "etcd.image" -}}
{{- $image := .Values.image -}}
{{- with default $image.registry .Values.global.imageRegistry -}}{{- . -}}/{{- end -}}
{{- $image.repository -}}
{{- if $image.digest -}}@{{ $image.digest }}{{- else -}}:{{ $image.tag }}{{- end -}}
{{- end -}}

{{/* Every member's name and peer address. */}}
{{- define "etcd.members" -}}
{{- $name := include "etcd.fullname" . -}}
{{- $members := list -}}
{{- range until (int .Values.replicaCount) -}}
{{- $member := printf "%s-%d" $name . -}}
{{- $members = append $members (printf "%s=http://%s.%s-headless.%s.svc:%d" $member $member $name (include "etcd.namespace" $) (int $.Values.service.ports.peer)) -}}
{{- end -}}
{{- join "," $members -}}
{{- end -}}
