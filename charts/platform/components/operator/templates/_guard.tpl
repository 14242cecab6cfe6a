{{/*
guard refuses a cluster-wide operator beside another, cluster-wide or restricted.
It believes roles only, because whoever may edit a namespace can write
everything else there, and goes by the release that they are of, never by names.
A restricted operator is not guarded: it is installed with rights in one
namespace, which do not include looking elsewhere. It never changes what is
rendered. Offline (helm template) it sees nothing.
*/}}
{{- define "dynamo-operator.guard" -}}
{{- if not (or .Values.namespaceRestriction.allowMixedScopes (include "dynamo-operator.restricted" .)) -}}
{{- $advice := "then uninstall one of the two. To move from one scope to the other, set namespaceRestriction.allowMixedScopes=true during the migration." -}}
{{- $marker := lookup "rbac.authorization.k8s.io/v1" "ClusterRole" "" "dynamo-operator-cluster-scope" -}}
{{- if and $marker (ne (include "dynamo-operator.ownerOf" $marker) (printf "%s/%s" .Release.Namespace .Release.Name)) -}}
{{- $name := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $marker -}}
{{- $namespace := dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" $marker -}}
{{- fail (printf "a cluster-wide dynamo-operator is installed: release %q in namespace %q. A second operator would reconcile the same objects. Look at it with `helm -n %s get manifest %s`, %s" $name $namespace $namespace $name $advice) -}}
{{- end -}}
{{- range (lookup "rbac.authorization.k8s.io/v1" "Role" "" "").items -}}
{{- $operator := eq (dig "metadata" "labels" "app.kubernetes.io/part-of" "" .) "dynamo-operator" -}}
{{- $ours := eq (include "dynamo-operator.ownerOf" .) (printf "%s/%s" $.Release.Namespace $.Release.Name) -}}
{{- if and $operator (not $ours) (include "dynamo-operator.writesGraphs" .) -}}
{{- fail (printf "namespace %q has a restricted dynamo-operator of its own (Role %s/%s). A cluster-wide operator does not coexist with it. Look at it with `kubectl -n %s get role %s -o yaml`, %s" .metadata.namespace .metadata.namespace .metadata.name .metadata.namespace .metadata.name $advice) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* ownerOf is the release that an object is of, as NAMESPACE/NAME. */}}
{{- define "dynamo-operator.ownerOf" -}}
{{ dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" . }}/{{ dig "metadata" "annotations" "meta.helm.sh/release-name" "" . }}
{{- end -}}

{{/* writesGraphs: an operator may do what its users need not. */}}
{{- define "dynamo-operator.writesGraphs" -}}
{{- range .rules -}}
{{- $group := or (has "nvidia.com" .apiGroups) (has "*" .apiGroups) -}}
{{- $resource := or (has "dynamocomponentdeployments" .resources) (has "*" .resources) -}}
{{- $verb := or (has "delete" .verbs) (has "*" .verbs) -}}
{{- if and $group $resource $verb }}true{{ end -}}
{{- end -}}
{{- end -}}
