{{/* What the schema cannot say: settings that must agree with each other. */}}
{{- define "dynamo-platform.validate" -}}
{{- $operator := index .Values "dynamo-operator" -}}
{{- range $name, $address := dict "nats" "natsAddr" "etcd" "etcdAddr" -}}
{{- $told := eq (toString (dig $name "enabled" "auto" $operator)) "true" -}}
{{- $installed := include "dynamo-platform.installs" (list $ $name) -}}
{{- if and $told (not $installed) (not (index $operator $address)) -}}
{{- fail (printf "dynamo-operator.%s.enabled is true, but %s.enabled is false: workloads would be given the address of a service that is not installed. Set %s.enabled=true, or dynamo-operator.%s to an existing one, or dynamo-operator.%s.enabled=auto." $name $name $name $address $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "nats" "etcd" "kai-scheduler" "grove" -}}
{{- if and (include "dynamo-platform.installs" (list $ $name)) (not (hasKey $.Subcharts $name)) -}}
{{- fail (printf "%s.enabled is true, but this package of dynamo-platform does not contain the %s chart. Use a package that does, or install %s separately and set %s.enabled=false." $name $name $name $name) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "nats" "etcd" -}}
{{- $fullname := include "dynamo-platform.fullname" (list $ $name) -}}
{{- if and (include "dynamo-platform.installs" (list $ $name)) (gt (len $fullname) 52) -}}
{{- $chart := (index $.Values $name).nameOverride | default $name -}}
{{- $room := contains $chart $.Release.Name | ternary 52 (sub 51 (len $chart)) -}}
{{- fail (printf "%s would be called %s, which is %d characters, but with more than 52 its StatefulSet never gets a pod. Set %s.fullnameOverride to a shorter name, e.g. %s, or give the release a name of at most %d characters." $name $fullname (len $fullname) $name $name $room) -}}
{{- end -}}
{{- end -}}
{{- if and (include "dynamo-platform.installs" (list . "nats")) .Values.global.imageRegistry (not (dig "image" "registry" "" .Values.global)) -}}
{{- fail (printf "global.imageRegistry is %q, but the nats chart does not read it: set global.image.registry to the same, or to docker.io if NATS is to come from there." .Values.global.imageRegistry) -}}
{{- end -}}
{{- end -}}
