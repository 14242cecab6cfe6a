{{- define "grove.config" -}}
runtime: {maxConcurrentSyncs: 5}
webhooks: {port: 9443}
{{- end -}}
{{- define "grove.configName" -}}
grove-operator-{{ include "grove.config" . | sha256sum | trunc 8 }}
{{- end -}}
