{{/* Who looks after the certificate: self, wheelhouse, cert-manager or external. */}}
{{- define "dynamo-operator.certificates" -}}
{{- if .Values.webhook.certManager.enabled -}}
cert-manager
{{- else if .Values.webhook.certificateSecret.external -}}
external
{{- else if and .Values.webhook.certificateSecret.wheelhouse (include "dynamo-operator.restricted" .) -}}
wheelhouse
{{- else -}}
self
{{- end -}}
{{- end -}}

{{- define "dynamo-operator.selfManagesCertificate" -}}
{{- if and (include "dynamo-operator.servesWebhooks" .) (eq (include "dynamo-operator.certificates" .) "self") }}true{{ end -}}
{{- end -}}

{{/* auto: a restricted operator has them where the cluster looks after the certificate already. */}}
{{- define "dynamo-operator.servesWebhooks" -}}
{{- $enabled := toString .Values.webhook.enabled -}}
{{- $asksForMore := and (include "dynamo-operator.restricted" .) (has (include "dynamo-operator.certificates" .) (list "self" "wheelhouse")) -}}
{{- if or (eq $enabled "true") (and (eq $enabled "auto") (not $asksForMore)) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.webhookServiceName" -}}
{{ include "dynamo-operator.name" (list . "webhook-service") }}
{{- end -}}

{{- define "dynamo-operator.validatingConfiguration" -}}
{{ include "dynamo-operator.clusterName" (list . "validating") }}
{{- end -}}

{{- define "dynamo-operator.mutatingConfiguration" -}}
{{ include "dynamo-operator.clusterName" (list . "mutating") }}
{{- end -}}

{{/* Annotations of a webhook configuration. */}}
{{- define "dynamo-operator.webhookAnnotations" -}}
{{- if eq (include "dynamo-operator.certificates" .) "cert-manager" -}}
cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/{{ include "dynamo-operator.name" (list $ "serving-cert") }}
{{- else if eq (include "dynamo-operator.certificates" .) "wheelhouse" -}}
# Asks wheelhouse for the certificate, in this Secret of the release namespace.
wheelhouse.dev/webhook-certificate: {{ .Values.webhook.certificateSecret.name | quote }}
wheelhouse.dev/webhook-certificate-days: {{ int .Values.webhook.certificateValidity | quote }}
{{- end -}}
{{- end -}}

{{/*
What all webhooks have in common; arguments: root, path. Only a given CA is
rendered: the field otherwise belongs to who looks after the certificate, and an
upgrade or rollback leaves it alone.
*/}}
{{- define "dynamo-operator.webhook" -}}
{{- $root := .root -}}
{{- with $root.Values.webhook -}}
admissionReviewVersions: [v1]
sideEffects: None
failurePolicy: {{ .failurePolicy }}
timeoutSeconds: {{ .timeoutSeconds }}
clientConfig:
  service:
    name: {{ include "dynamo-operator.webhookServiceName" $root }}
    namespace: {{ $root.Release.Namespace | quote }}
    path: {{ $.path }}
    port: 443
  {{- with .caBundle }}
  caBundle: {{ . | quote }}
  {{- end }}
{{- if .namespaceSelector }}
namespaceSelector:
  {{- toYaml .namespaceSelector | nindent 2 }}
{{- else if include "dynamo-operator.restricted" $root }}
namespaceSelector:
  matchLabels:
    kubernetes.io/metadata.name: {{ include "dynamo-operator.served" $root | quote }}
{{- end }}
# The operator checks what it writes itself, and must not wait for itself.
matchConditions:
  - name: not-by-the-operator
    expression: request.userInfo.username != "system:serviceaccount:{{ $root.Release.Namespace }}:{{ include "dynamo-operator.name" (list $root "controller-manager") }}"
{{- end -}}
{{- end -}}

{{/* server.webhook of the operator's configuration. */}}
{{- define "dynamo-operator.webhookConfig" -}}
{{- if include "dynamo-operator.servesWebhooks" . -}}
authorizeAuthors: {{ .Values.webhook.authorizeAuthors }}
bindAddress: ":9443"
certificates:
  {{- $certificates := include "dynamo-operator.certificates" . }}
  {{- if eq $certificates "wheelhouse" }}
  source: secret
  namespace: {{ .Release.Namespace | quote }}
  secretName: {{ .Values.webhook.certificateSecret.name | quote }}
  serviceName: {{ include "dynamo-operator.webhookServiceName" . | quote }}
  {{- else if eq $certificates "self" }}
  source: self
  namespace: {{ .Release.Namespace | quote }}
  secretName: {{ .Values.webhook.certificateSecret.name | quote }}
  serviceName: {{ include "dynamo-operator.webhookServiceName" . | quote }}
  validatingConfiguration: {{ include "dynamo-operator.validatingConfiguration" . }}
  mutatingConfiguration: {{ include "dynamo-operator.mutatingConfiguration" . }}
  validity: {{ mul .Values.webhook.certificateValidity 24 }}h
  {{- else }}
  source: files
  directory: {{ include "dynamo-operator.certificateDirectory" . }}
  {{- end }}
{{- else -}}
bindAddress: "0"
{{- end -}}
{{- end -}}

{{/* The operator reads the certificate in its Secret itself, whoever wrote it. */}}
{{- define "dynamo-operator.readsCertificate" -}}
{{- if and (include "dynamo-operator.servesWebhooks" .) (has (include "dynamo-operator.certificates" .) (list "self" "wheelhouse")) }}true{{ end -}}
{{- end -}}

{{- define "dynamo-operator.certificateDirectory" -}}
/tmp/k8s-webhook-server/serving-certs
{{- end -}}

{{- define "dynamo-operator.validateWebhook" -}}
{{- $certificates := include "dynamo-operator.certificates" . -}}
{{- with .Values.webhook -}}
{{- if and .authorizeAuthors (not (include "dynamo-operator.servesWebhooks" $)) -}}
{{- fail "webhook.authorizeAuthors is true, but the operator serves no webhooks, and the author of a graph is known at admission only: set webhook.enabled to true." -}}
{{- end -}}
{{- if and .authorizeAuthors (eq .failurePolicy "Ignore") -}}
{{- fail "webhook.authorizeAuthors is true, but webhook.failurePolicy is Ignore, which lets every graph pass while no operator answers: set it to Fail." -}}
{{- end -}}
{{- if and .certManager.enabled .certificateSecret.external -}}
{{- fail "webhook.certManager.enabled and webhook.certificateSecret.external are both true, but only one of the two can provide the certificate. Set one of them to false." -}}
{{- end -}}
{{- if and (eq $certificates "external") (ne (toString .enabled) "false") (not .caBundle) -}}
{{- fail "webhook.certificateSecret.external is true, but webhook.caBundle is empty: the API server would trust no certificate and refuse every graph. Set it to the base64 of the PEM of the authority that signed the certificate in the Secret." -}}
{{- end -}}
{{- if and .caBundle (ne $certificates "external") -}}
{{- fail "webhook.caBundle is set, but it is used only with webhook.certificateSecret.external=true. Otherwise the authority is written into the webhook configurations for you: remove the key." -}}
{{- end -}}
{{- if and .caBundle (not (contains "-----BEGIN CERTIFICATE-----" (b64dec .caBundle))) -}}
{{- fail "webhook.caBundle is not the base64 of a PEM certificate: set it to the output of `base64 -w0 ca.crt`." -}}
{{- end -}}
{{- if and (eq $certificates "self") (eq (toString .enabled) "true") (include "dynamo-operator.restricted" $) -}}
{{- fail "webhook.enabled is true, but a namespace-restricted operator has no right to write the authority of a certificate of its own into webhook configurations, which belong to the cluster. Set webhook.certManager.enabled=true, or webhook.certificateSecret.external=true with webhook.caBundle; or install with wheelhouse, which looks after the certificate with the rights of whoever runs it; or set webhook.enabled=false." -}}
{{- end -}}
{{- if and (has $certificates (list "external" "cert-manager")) (ne (int .certificateValidity) 365) -}}
{{- fail (printf "webhook.certificateValidity is set, but the certificate comes from %s, which decides how long it is valid. Remove the key." (eq $certificates "external" | ternary "an external Secret" "cert-manager (webhook.certManager.certificate.duration)")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
