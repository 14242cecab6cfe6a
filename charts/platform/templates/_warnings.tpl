{{/*
warnings is a YAML list of sentences about what works, but probably not as
somebody expects: keys that have another name here, and services that take no
part in a setting.
*/}}
{{- define "dynamo-platform.warnings" -}}
{{- $warnings := include "dynamo-platform.renamed" . | fromYamlArray -}}
{{- $operator := index .Values "dynamo-operator" -}}
{{- $global := .Values.global -}}
{{- $orchestrators := list -}}
{{- range $name := list "kai-scheduler" "grove" -}}
{{- if include "dynamo-platform.installs" (list $ $name) }}{{ $orchestrators = append $orchestrators $name }}{{ end -}}
{{- end -}}
{{- with $orchestrators -}}
{{- $warnings = append $warnings (printf "Helm applies the CRDs of %s at the first install of this release only. Apply those of a new version yourself, or when turning it on later: kubectl apply --server-side -f CHART/crds/" (join " and " .)) -}}
{{- if $global.imageRegistry -}}
{{- $warnings = append $warnings (printf "%s takes no part in global.imageRegistry: see kai-scheduler.global.registry, grove.image.repository and the like in its own values" (join " and " .)) -}}
{{- end -}}
{{- end -}}
{{- if and (include "dynamo-platform.installs" (list . "nats")) $global.imagePullSecrets (not (dig "image" "pullSecretNames" list $global)) -}}
{{- $warnings = append $warnings "NATS takes no part in global.imagePullSecrets: set global.image.pullSecretNames, too, if its image needs them" -}}
{{- end -}}
{{- if and $operator.enabled $operator.natsAddr (include "dynamo-platform.installs" (list . "nats")) -}}
{{- $warnings = append $warnings "dynamo-operator.natsAddr names a NATS of its own, so workloads are not told of the one that this release installs: set nats.enabled=false, unless somebody else uses it" -}}
{{- end -}}
{{- if $operator.enabled -}}
{{- $restricted := dig "namespaceRestriction" "enabled" false $operator -}}
{{- $create := toString $operator.kaiScheduler.createQueues -}}
{{- if and (include "dynamo-platform.uses" (list . "kai-scheduler")) (or (eq $create "false") (and $restricted (ne $create "true"))) -}}
{{- $warnings = append $warnings "the operator does not create the queues dynamo-default and dynamo of the KAI scheduler (dynamo-operator.kaiScheduler.createQueues): see that they exist" -}}
{{- end -}}
{{- end -}}
{{- toYaml $warnings -}}
{{- end -}}

{{/* renamed: keys of other versions of this chart, with what became of them. */}}
{{- define "dynamo-platform.renamed" -}}
{{- $operator := index .Values "dynamo-operator" -}}
{{- $found := list -}}
{{- range $name := list "nats" "etcd" "kai-scheduler" "grove" -}}
{{- if hasKey (dig $name dict $.Values.global) "install" -}}
{{- $found = append $found (printf "global.%s.install is taken as %s.enabled; please use that key" $name $name) -}}
{{- end -}}
{{- end -}}
{{- if hasKey $operator "upgradeCRD" -}}
{{- $found = append $found "dynamo-operator.upgradeCRD has no effect: CRDs are installed and upgraded by the chart dynamo-crds, before this one" -}}
{{- end -}}
{{- if hasKey (dig "gpuDiscovery" dict $operator) "enabled" -}}
{{- $found = append $found "dynamo-operator.gpuDiscovery.enabled has no effect: this operator looks for no GPUs and needs no right to read nodes" -}}
{{- end -}}
{{- if hasKey $operator "istioVirtualServiceEnabled" -}}
{{- $found = append $found "dynamo-operator.istioVirtualServiceEnabled has no effect: the right to VirtualServices follows from dynamo.istio.enabled" -}}
{{- end -}}
{{- if hasKey (dig "webhook" "certGenerator" dict $operator) "tolerations" -}}
{{- $found = append $found "dynamo-operator.webhook.certGenerator.tolerations has no effect: no job makes the certificate" -}}
{{- end -}}
{{- if hasKey (dig "dynamo" "mpiRun" "sshKeygen" dict $operator) "tolerations" -}}
{{- $found = append $found "dynamo-operator.dynamo.mpiRun.sshKeygen.tolerations has no effect: no job makes the key" -}}
{{- end -}}
{{- if dig "webhook" "certManager" "rootCA" false $operator -}}
{{- $found = append $found "dynamo-operator.webhook.certManager.rootCA is taken as dynamo-operator.webhook.certManager.certificate.rootCA; please use that key" -}}
{{- end -}}
{{- if eq (dig "controllerManager" "manager" "image" "repository" "" $operator) "nvcr.io/nvidia/ai-dynamo/kubernetes-operator" -}}
{{- $found = append $found "dynamo-operator.controllerManager.manager.image.repository names the published operator, which does not understand this chart's configuration: the chart's own image is used. Remove the key" -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}
