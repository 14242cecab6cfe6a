{{/* A part of the platform: its templates render what depends on the services beside the operator. */}}
{{- define "dynamo-operator.standsAlone" -}}no{{- end -}}

{{/* installs reports whether a third-party service is asked for; arguments: root, key. The later name wins, as in Chart.yaml. */}}
{{- define "dynamo-platform.installs" -}}
{{- $values := (index . 0).Values -}}
{{- $enabled := dig (index . 1) "install" (index $values (index . 1)).enabled $values.global -}}
{{- if $enabled }}true{{ end -}}
{{- end -}}

{{/* uses reports whether the operator may use an orchestrator: one that is installed here, or one that is said to be there. */}}
{{- define "dynamo-platform.uses" -}}
{{- if or (include "dynamo-platform.installs" .) (dig (index . 1) "enabled" false (index . 0).Values.global) }}true{{ end -}}
{{- end -}}

{{/* fullname is what a bundled third-party chart calls its objects, by the rule of these charts; arguments: root, key. */}}
{{- define "dynamo-platform.fullname" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- $chart := $values.nameOverride | default (index . 1) -}}
{{- $name := printf "%s-%s" $root.Release.Name $chart -}}
{{- if contains $chart $root.Release.Name -}}{{- $name = $root.Release.Name -}}{{- end -}}
{{- $values.fullnameOverride | default $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* serviceHost is its Service; arguments: root, key, name and namespace that the chart takes for its Service, or "". */}}
{{- define "dynamo-platform.serviceHost" -}}
{{- $root := index . 0 -}}
{{- $name := index . 2 | default (include "dynamo-platform.fullname" .) -}}
{{- $domain := (index $root.Values "dynamo-operator").kubernetesClusterDomain -}}
{{- printf "%s.%s.svc%s" $name (index . 3 | default (index $root.Values (index . 1)).namespaceOverride | default $root.Release.Namespace) ($domain | empty | ternary "" (printf ".%s" $domain)) -}}
{{- end -}}

{{- define "dynamo-platform.natsAddress" -}}
{{- if include "dynamo-platform.installs" (list . "nats") -}}
{{- $nats := .Values.nats -}}
{{- $scheme := dig "config" "nats" "tls" "enabled" false $nats | ternary "tls" "nats" -}}
{{- $port := dig "service" "ports" "nats" "port" 0 $nats | default (dig "config" "nats" "port" 4222 $nats) -}}
{{- /* The chart lays service.merge over the Service that it has made. */ -}}
{{- $merge := dig "service" "merge" dict $nats | default dict -}}
{{- range dig "spec" "ports" list $merge -}}
{{- if eq (get . "name") "nats" }}{{ $port = .port }}{{ end -}}
{{- end -}}
{{- $name := dig "metadata" "name" "" $merge | default (dig "service" "name" "" $nats) -}}
{{- printf "%s://%s:%d" $scheme (include "dynamo-platform.serviceHost" (list . "nats" $name (dig "metadata" "namespace" "" $merge))) (int $port) -}}
{{- end -}}
{{- end -}}

{{- define "dynamo-platform.etcdAddress" -}}
{{- if include "dynamo-platform.installs" (list . "etcd") -}}
{{- $etcd := .Values.etcd -}}
{{- $scheme := dig "auth" "client" "secureTransport" false $etcd | ternary "https://" "" -}}
{{- printf "%s%s:%d" $scheme (include "dynamo-platform.serviceHost" (list . "etcd" "" "")) (dig "service" "ports" "client" 2379 $etcd | int) -}}
{{- end -}}
{{- end -}}
