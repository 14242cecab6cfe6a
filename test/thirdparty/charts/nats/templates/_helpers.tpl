{{- define "nats.fullname" -}}
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

{{- define "nats.namespace" -}}
{{- default .Release.Namespace .Values.namespaceOverride -}}
{{- end -}}

{{- define "nats.selector" -}}
app.kubernetes.io/component: nats
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/name: nats
{{- end -}}

{{- define "nats.labels" -}}
{{ include "nats.selector" . }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
wheelhouse.dev/fixture: "true"
{{- with .Values.global.labels }}
{{ toYaml . }}
{{- end -}}
{{- end -}}

{{- define "nats.image" -}}
{{- $image := .Values.container.image -}}
{{- $registry := default .Values.global.image.registry $image.registry -}}
{{- with $registry -}}{{- . -}}/{{- end -}}
{{- $image.repository }}:{{ $image.tag -}}
{{- end -}}

{{/* The server's configuration; JSON is a form of its syntax. */}}
{{- define "nats.config" -}}
{{- $config := .Values.config -}}
{{- $out := dict "port" (int $config.nats.port) "server_name" "$SERVER_NAME" -}}
{{- if $config.monitor.enabled -}}
{{- $_ := set $out "http_port" (int $config.monitor.port) -}}
{{- end -}}
{{- with $config.jetstream -}}
{{- if .enabled -}}
{{- $jetstream := dict "max_memory_store" 0 "store_dir" .fileStore.dir -}}
{{- if .memoryStore.enabled -}}
{{- $_ := set $jetstream "max_memory_store" .memoryStore.maxSize -}}
{{- end -}}
{{- $_ := set $out "jetstream" $jetstream -}}
{{- end -}}
{{- end -}}
{{- mergeOverwrite $out (deepCopy $config.merge) | toPrettyJson | replace "\"$SERVER_NAME\"" "$SERVER_NAME" -}}
{{- end -}}
