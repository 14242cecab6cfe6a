{{/*
What runs the operator: its configuration, Deployment and disruption budget. It
depends on the services beside it, and only dynamo-platform knows those: as a
part of it, this chart leaves these objects to that chart's templates, which
include this one with a further key in the context.

.Platform: natsAddress and etcdAddress of bundled services, or ""; grove and
kaiScheduler, whether the operator may use them.
*/}}
{{- define "dynamo-operator.manager" -}}
{{- $manager := .Values.controllerManager -}}
{{- $mountsCertificate := and (include "dynamo-operator.servesWebhooks" .) (not (include "dynamo-operator.readsCertificate" .)) -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "dynamo-operator.name" (list $ "config") }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "dynamo-operator.labels" . | nindent 4 }}
data:
  config.yaml: |
    {{- include "dynamo-operator.config" . | nindent 4 }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "dynamo-operator.name" (list $ "controller-manager") }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "dynamo-operator.labels" . | nindent 4 }}
spec:
  replicas: {{ $manager.replicas }}
  selector:
    matchLabels:
      {{- include "dynamo-operator.selectorLabels" . | nindent 6 }}
      control-plane: controller-manager
  template:
    metadata:
      labels:
        {{- include "dynamo-operator.labelsAnd" (list . .Values.podLabels) | nindent 8 }}
        control-plane: controller-manager
      annotations:
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        kubectl.kubernetes.io/default-container: manager
        # The operator reads its configuration at start: a change rolls the pods.
        checksum/config: {{ include "dynamo-operator.config" . | sha256sum }}
    spec:
      serviceAccountName: {{ include "dynamo-operator.name" (list $ "controller-manager") }}
      {{- with include "dynamo-operator.imagePullSecrets" . }}
      imagePullSecrets:
        {{- . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        seccompProfile: {type: RuntimeDefault}
      containers:
        - name: manager
          image: {{ include "dynamo-operator.image" . | quote }}
          imagePullPolicy: {{ $manager.manager.image.pullPolicy }}
          args: [--config=/etc/dynamo-operator/config.yaml]
          env:
            - name: POD_NAME
              valueFrom: {fieldRef: {fieldPath: metadata.name}}
            - name: POD_NAMESPACE
              valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
            - name: POD_SERVICE_ACCOUNT
              valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}
            {{- with .Values.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          ports:
            - {name: health, containerPort: 8081, protocol: TCP}
            {{- if include "dynamo-operator.servesMetrics" . }}
            - {name: https, containerPort: 8443, protocol: TCP}
            {{- end }}
            {{- if include "dynamo-operator.servesWebhooks" . }}
            - {name: webhook-server, containerPort: 9443, protocol: TCP}
            {{- end }}
          livenessProbe:
            httpGet: {path: /healthz, port: health}
            initialDelaySeconds: 15
            periodSeconds: 20
          readinessProbe:
            httpGet: {path: /readyz, port: health}
            initialDelaySeconds: 1
            periodSeconds: 5
          resources:
            {{- toYaml $manager.manager.resources | nindent 12 }}
          securityContext:
            {{- toYaml $manager.manager.containerSecurityContext | nindent 12 }}
          volumeMounts:
            - {name: config, mountPath: /etc/dynamo-operator, readOnly: true}
            {{- if $mountsCertificate }}
            - {name: webhook-certificate, mountPath: {{ include "dynamo-operator.certificateDirectory" . }}, readOnly: true}
            {{- end }}
      volumes:
        - name: config
          configMap: {name: {{ include "dynamo-operator.name" (list $ "config") }}}
        {{- if $mountsCertificate }}
        - name: webhook-certificate
          secret:
            secretName: {{ .Values.webhook.certificateSecret.name | quote }}
            items: [{key: tls.crt, path: tls.crt}, {key: tls.key, path: tls.key}]
        {{- end }}
      {{- with $manager.priorityClassName }}
      priorityClassName: {{ . | quote }}
      {{- end }}
      {{- range $field := list "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints" }}
      {{- with index $manager $field }}
      {{ $field }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      terminationGracePeriodSeconds: 15
{{- $pdb := toString $manager.podDisruptionBudget.enabled }}
{{- if or (eq $pdb "true") (and (eq $pdb "auto") (gt (int $manager.replicas) 1)) }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "dynamo-operator.name" (list $ "controller-manager") }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "dynamo-operator.labels" . | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "dynamo-operator.selectorLabels" . | nindent 6 }}
      control-plane: controller-manager
{{- end }}
{{- with include "dynamo-operator.queueAccess" . }}
---
{{ . }}
{{- end }}
{{- end -}}

{{/* dynamo-platform defines it to be no. */}}
{{- define "dynamo-operator.standsAlone" -}}yes{{- end -}}
