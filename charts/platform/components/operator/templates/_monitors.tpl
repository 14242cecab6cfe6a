{{/*
monitors reports whether to make a monitor; arguments: root, value of its switch.
auto, or null as in later charts, asks the cluster that the chart is rendered for.
*/}}
{{- define "dynamo-operator.monitors" -}}
{{- $enabled := index . 1 -}}
{{- if or (kindIs "invalid" $enabled) (eq (toString $enabled) "auto") -}}
{{- if (index . 0).Capabilities.APIVersions.Has "monitoring.coreos.com/v1" }}true{{ end -}}
{{- else if $enabled -}}
true
{{- end -}}
{{- end -}}

{{/* A switch of the Service's that later charts set to null turns the monitor to auto. */}}
{{- define "dynamo-operator.monitorsOperator" -}}
{{- $monitor := .Values.metricsService.serviceMonitor.enabled -}}
{{- if has (toString .Values.metricsService.enabled) (list "auto" "<nil>") -}}
{{- $monitor = $monitor | default "auto" -}}
{{- end -}}
{{- if and (include "dynamo-operator.servesMetrics" .) (include "dynamo-operator.monitors" (list . $monitor)) }}true{{ end -}}
{{- end -}}
