{{- define "chrek.name" -}}
{{- default .Chart.Name .Values.nameOverride -}}
{{- end -}}

{{/*
fullname: the release name, with the chart's name unless it contains it. Cut so
that "-config" can be added; a release name is short enough to remain whole.
*/}}
{{- define "chrek.fullname" -}}
{{- $name := include "chrek.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 56 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 56 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 56 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The selector is that of the chart's predecessor, so that it can be upgraded in place. */}}
{{- define "chrek.selectorLabels" -}}
app.kubernetes.io/name: checkpoint-agent
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "chrek.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: chrek
{{- end -}}

{{- define "chrek.labels" -}}
app.kubernetes.io/name: {{ include "chrek.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{ include "chrek.commonLabels" . }}
{{- end -}}

{{- define "chrek.image" -}}
{{- $image := .Values.daemonset.image -}}
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
{{- define "chrek.imagePullSecrets" -}}
{{- $names := list -}}
{{- range concat (.Values.global.imagePullSecrets | default list) .Values.daemonset.imagePullSecrets -}}
{{- $names = append $names (kindIs "string" . | ternary . (get (kindIs "map" . | ternary . dict) "name")) -}}
{{- end -}}
{{- range $names | uniq }}
- name: {{ . | quote }}
{{- end -}}
{{- end -}}

{{- define "chrek.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "chrek.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "chrek.port" -}}
{{- regexFind "[0-9]+$" .Values.config.agent.listenAddr -}}
{{- end -}}

{{- define "chrek.targetNamespace" -}}
{{- default .Release.Namespace .Values.namespaceRestriction.targetNamespace -}}
{{- end -}}

{{/* What the agent's code asks for where the pods are; agent.TargetPermissions says the same. */}}
{{- define "chrek.rules" -}}
{{- if .Values.engine.enabled }}
  - apiGroups: [""]
    resources: [pods]
    verbs: [list, watch]
  - apiGroups: [""]
    resources: [pods/status]
    verbs: [patch]
  - apiGroups: [""]
    resources: [events]
    verbs: [create]
  - apiGroups: [nvidia.com]
    resources: [dynamocheckpoints]
    verbs: [list]
{{- else }} []
{{- end -}}
{{- end -}}

{{/* The same where it runs itself; agent.OwnPermissions. */}}
{{- define "chrek.ownRules" }}
  - apiGroups: [coordination.k8s.io]
    resources: [leases]
    verbs: [get, list, create, update, delete]
{{- end -}}

{{/*
The first fourteen are those that runtimes give a container: a restored process
gets what it had, which nobody can give who has not got it.
*/}}
{{- define "chrek.capabilities" -}}
{{- $all := list "CHOWN" "DAC_OVERRIDE" "FOWNER" "FSETID" "KILL" "MKNOD" "NET_BIND_SERVICE" "NET_RAW" "SETFCAP" "SETGID" "SETPCAP" "SETUID" "SYS_CHROOT" "AUDIT_WRITE" "SYS_ADMIN" "NET_ADMIN" "SYS_PTRACE" "SYS_TIME" -}}
{{- if .Values.engine.sysResource -}}
{{- $all = append $all "SYS_RESOURCE" -}}
{{- end -}}
{{- join ", " $all -}}
{{- end -}}
