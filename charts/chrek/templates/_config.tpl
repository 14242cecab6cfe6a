{{/*
The agent's configuration file; internal/chrek/config documents it. The keys
config.criu and config.overlay.exclusions are what later releases of the
chart's predecessor call config.checkpoint.criu and .rootfsExclusions.
*/}}
{{- define "chrek.config" -}}
apiVersion: chrek.config.dynamo.nvidia.com/v1alpha1
kind: AgentConfiguration
agent:
  {{- toYaml .Values.config.agent | nindent 2 }}
  metrics: {{ .Values.podMonitor.enabled }}
  {{- if .Values.engine.enabled }}
  targetNamespace: {{ include "chrek.targetNamespace" . | quote }}
  {{- end }}
node:
  kubeletSocket: /host/pod-resources/kubelet.sock
seccomp:
  deploy: {{ .Values.seccomp.deploy }}
  directory: /host/seccomp
storage:
  type: {{ .Values.storage.type }}
  gracePeriod: {{ .Values.storage.gracePeriod }}
checkpoint:
  basePath: {{ .Values.storage.pvc.basePath | quote }}
  criu:
    {{- include "chrek.criu" . | nindent 4 }}
  rootfsExclusions:
    {{- include "chrek.exclusions" . | nindent 4 }}
{{- end -}}

{{- define "chrek.exclusions" -}}
{{- $renamed := dig "overlay" "exclusions" nil .Values.config -}}
{{- if kindIs "slice" $renamed -}}
{{- $patterns := list -}}
{{- range $renamed -}}
{{- $patterns = append $patterns (regexReplaceAll "^/" . "./") -}}
{{- end -}}
{{- toYaml (dict "systemDirs" list "cacheDirs" list "additionalExclusions" $patterns) -}}
{{- else -}}
{{- toYaml .Values.config.checkpoint.rootfsExclusions -}}
{{- end -}}
{{- end -}}

{{- define "chrek.criu" -}}
{{- $criu := deepCopy .Values.config.checkpoint.criu -}}
{{- range $key, $value := .Values.config.criu -}}
{{- $_ := set $criu $key $value -}}
{{- end -}}
{{- if and $criu.tcpClose $criu.tcpEstablished -}}
{{- fail "config.checkpoint.criu.tcpEstablished contradicts tcpClose: established connections are either closed or kept. Set one of the two to false." -}}
{{- end -}}
{{- toYaml $criu -}}
{{- end -}}
