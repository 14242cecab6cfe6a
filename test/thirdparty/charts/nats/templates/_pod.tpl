{{- define "nats.podSpec" -}}
{{- $name := include "nats.fullname" . -}}
{{- $jetstream := .Values.config.jetstream -}}
{{- $policy := default .Values.global.image.pullPolicy .Values.container.image.pullPolicy -}}
enableServiceLinks: false
{{- with .Values.global.image.pullSecretNames }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
automountServiceAccountToken: false
securityContext: {runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000, seccompProfile: {type: RuntimeDefault}}
containers:
  - name: nats
    image: {{ include "nats.image" . }}
    {{- with $policy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    args: [--config, /etc/nats-config/nats.conf]
    env:
      - name: SERVER_NAME
        valueFrom: {fieldRef: {fieldPath: metadata.name}}
    ports:
      - {name: nats, containerPort: {{ .Values.config.nats.port }}}
      {{- if .Values.config.monitor.enabled }}
      - {name: monitor, containerPort: {{ .Values.config.monitor.port }}}
      {{- end }}
    {{- if .Values.config.monitor.enabled }}
    readinessProbe:
      httpGet: {path: "/healthz?js-server-only=true", port: monitor}
      periodSeconds: 2
    livenessProbe:
      httpGet: {path: "/healthz?js-enabled-only=true", port: monitor}
      periodSeconds: 30
      initialDelaySeconds: 10
    {{- end }}
    securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
    volumeMounts:
      - {name: config, mountPath: /etc/nats-config}
      {{- if $jetstream.enabled }}
      - {name: {{ $name }}-js, mountPath: {{ $jetstream.fileStore.dir }}}
      {{- end }}
volumes:
  - name: config
    configMap: {name: {{ $name }}-config}
  {{- if and $jetstream.enabled (not (and $jetstream.fileStore.enabled $jetstream.fileStore.pvc.enabled)) }}
  - name: {{ $name }}-js
    emptyDir: {}
  {{- end }}
{{- end -}}
