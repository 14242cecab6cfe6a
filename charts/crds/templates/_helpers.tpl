{{/*
A definition as generated, with its further version where something converts;
arguments: root, plural.
*/}}
{{- define "dynamo-crds.definition" -}}
{{- $root := index . 0 -}}
{{- $definition := $root.Files.Get (printf "definitions/%s.yaml" (index . 1)) -}}
{{- $version := $root.Files.Get (printf "versions/%s.v1beta1.yaml" (index . 1)) -}}
{{- if and $version $root.Values.conversion.enabled -}}
{{- if semverCompare "<1.30.0-0" $root.Capabilities.KubeVersion.Version -}}
{{- fail (printf "conversion.enabled (spec.crds.conversion in a fleet) needs Kubernetes 1.30 or newer, the cluster has %s: its API server does not accept the rules of nvidia.com/v1beta1; leave it off, and write graphs in nvidia.com/v1alpha1" $root.Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- with include "dynamo-crds.annotations" $root -}}
{{- $definition = replace "\n  annotations:\n" (printf "\n  annotations:\n    %s\n" (indent 4 . | trim)) $definition -}}
{{- end -}}
{{ trim $definition }}
{{ $version | trim | indent 2 }}
  conversion:
    {{- include "dynamo-crds.conversion" $root | nindent 4 }}
{{- else -}}
{{ $definition }}
{{- end -}}
{{- end -}}

{{/* Who has the API server trust the program that converts. */}}
{{- define "dynamo-crds.annotations" -}}
{{- $conversion := .Values.conversion -}}
{{- if $conversion.certManager -}}
cert-manager.io/inject-ca-from: {{ printf "%s/%s" $conversion.service.namespace $conversion.service.name | quote }}
{{- else if $conversion.wheelhouse -}}
wheelhouse.dev/webhook-certificate: {{ $conversion.certificateSecret | quote }}
wheelhouse.dev/webhook-certificate-days: {{ int $conversion.certificateValidity | quote }}
{{- end -}}
{{- end -}}

{{/*
Only a given authority is rendered: the field otherwise belongs to who looks
after the certificate, and an upgrade or rollback leaves it alone.
*/}}
{{- define "dynamo-crds.conversion" -}}
{{- $conversion := .Values.conversion -}}
strategy: Webhook
webhook:
  conversionReviewVersions: [v1]
  clientConfig:
    service:
      namespace: {{ $conversion.service.namespace | quote }}
      name: {{ $conversion.service.name | quote }}
      path: /convert
      port: 443
    {{- with $conversion.caBundle }}
    caBundle: {{ . | quote }}
    {{- end }}
{{- end -}}
