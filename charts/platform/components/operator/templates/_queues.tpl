{{/* Whether the operator may use the KAI scheduler; .Platform knows of a bundled one. */}}
{{- define "dynamo-operator.usesKAI" -}}
{{- if or (get (.Platform | default dict) "kaiScheduler") (index .Values.global "kai-scheduler").enabled }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.usesLeaderWorkerSets" -}}
{{- $enabled := toString .Values.leaderWorkerSet.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (not (include "dynamo-operator.restricted" .))) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.usesInferencePools" -}}
{{- $enabled := toString .Values.inferencePool.enabled -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (not (include "dynamo-operator.restricted" .))) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.usesGrove" -}}
{{- if or (get (.Platform | default dict) "grove") .Values.global.grove.enabled }}true{{ end -}}
{{- end -}}

{{/* A restricted operator has no rights on the cluster. */}}
{{- define "dynamo-operator.createsQueues" -}}
{{- $create := toString .Values.kaiScheduler.createQueues -}}
{{- if and (include "dynamo-operator.usesKAI" .) (ne $create "false") (not (include "dynamo-operator.restricted" .)) }}true{{ end -}}
{{- end -}}

{{/* Lets the operator create the queues that are absent, and do nothing to those that exist. */}}
{{- define "dynamo-operator.queueAccess" -}}
{{- if include "dynamo-operator.createsQueues" . -}}
{{- $name := include "dynamo-operator.name" (list . "queues") -}}
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $name }}
  labels:
    {{- include "dynamo-operator.labels" . | nindent 4 }}
rules:
  # A name cannot restrict create.
  - apiGroups: [scheduling.run.ai]
    resources: [queues]
    verbs: [create]
  - apiGroups: [scheduling.run.ai]
    resources: [queues]
    resourceNames: [dynamo-default, dynamo]
    verbs: [get]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $name }}
  labels:
    {{- include "dynamo-operator.labels" . | nindent 4 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $name }}}
subjects:
  - {{ include "dynamo-operator.subject" . }}
{{- end }}
{{- end -}}
