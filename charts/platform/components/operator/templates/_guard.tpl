{{/*
guard refuses what must not coexist: two cluster-wide operators, or a
cluster-wide and a restricted one. It compares release identity on the marker
objects that this chart and the operator create, never name patterns, and
never changes what is rendered. Offline (helm template) it sees nothing.
*/}}
{{- define "dynamo-operator.guard" -}}
{{- if not .Values.namespaceRestriction.allowMixedScopes -}}
{{- $advice := "Look at it with `helm -n %s get manifest %s`, then uninstall one of the two. To move from one scope to the other, set namespaceRestriction.allowMixedScopes=true during the migration." -}}
{{- $marker := lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "dynamo-operator-cluster-scope" -}}
{{- if $marker -}}
{{- $name := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $marker -}}
{{- $namespace := dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" $marker -}}
{{- if or (ne $name .Release.Name) (ne $namespace .Release.Namespace) -}}
{{- fail (printf "a cluster-wide dynamo-operator is installed: release %q in namespace %q. A second operator would reconcile the same objects. %s" $name $namespace (printf $advice $namespace $name)) -}}
{{- end -}}
{{- end -}}
{{- if not (include "dynamo-operator.restricted" .) -}}
{{- range (lookup "coordination.k8s.io/v1" "Lease" "" "").items -}}
{{- if and (eq .metadata.name "dynamo-operator-namespace-scope") (ne .metadata.namespace $.Release.Namespace) (include "dynamo-operator.leaseHeld" .) -}}
{{- fail (printf "namespace %q has a restricted dynamo-operator of its own (Lease %s/%s). A cluster-wide operator does not coexist with it. Look at it with `kubectl -n %s get lease,deployment -l app.kubernetes.io/part-of=dynamo-operator`, then uninstall one of the two. To move from one scope to the other, set namespaceRestriction.allowMixedScopes=true during the migration." .metadata.namespace .metadata.namespace .metadata.name .metadata.namespace) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* leaseHeld: an operator that was uninstalled may leave its Lease behind, to expire. */}}
{{- define "dynamo-operator.leaseHeld" -}}
{{- $renewed := toDate "2006-01-02T15:04:05.999999Z07:00" (.spec.renewTime | default "") | unixEpoch | int64 -}}
{{- if le (now | unixEpoch | int64) (add $renewed (.spec.leaseDurationSeconds | default 0)) }}true{{ end -}}
{{- end -}}
