{{/* What the operator itself may do: internal/operator/manager/rules.go says why, and a test compares the two. */}}
{{- define "dynamo-operator.managerRules" -}}
- apiGroups: [nvidia.com]
  resources: [dynamographdeployments]
  verbs: [get, list, watch, create, patch]
- apiGroups: [nvidia.com]
  resources: [dynamocomponentdeployments]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [nvidia.com]
  resources: [dynamographdeployments/status, dynamocomponentdeployments/status, dynamographdeploymentscalingadapters/status]
  verbs: [patch]
- apiGroups: [nvidia.com]
  resources: [dynamomodels, dynamographdeploymentrequests]
  verbs: [get, list, watch, patch]
- apiGroups: [nvidia.com]
  resources: [dynamocheckpoints]
  verbs: [get, list, watch{{ if .Values.checkpoint.enabled }}, create, delete{{ end }}]
- apiGroups: [nvidia.com]
  resources: [dynamomodels/status, dynamographdeploymentrequests/status, dynamocheckpoints/status]
  verbs: [patch]
# Their content belongs to who scales.
- apiGroups: [nvidia.com]
  resources: [dynamographdeploymentscalingadapters]
  verbs: [get, list, watch, create, delete]
- apiGroups: [nvidia.com]
  resources: [dynamographdeployments/finalizers, dynamocomponentdeployments/finalizers, dynamographdeploymentrequests/finalizers{{ if .Values.checkpoint.enabled }}, dynamocheckpoints/finalizers{{ end }}]
  verbs: [update]
# Jobs profile, and write what they find out into ConfigMaps.
- apiGroups: [batch]
  resources: [jobs]
  verbs: [get, list, watch, create]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [get, create, patch]
- apiGroups: [apps]
  resources: [deployments]
  verbs: [get, list, watch, create, patch, delete]
{{- if include "dynamo-operator.usesLeaderWorkerSets" . }}
# The API may be installed later, which the operator notices without a restart.
- apiGroups: [leaderworkerset.x-k8s.io]
  resources: [leaderworkersets]
  verbs: [get, list, watch, create, patch, delete]
# LeaderWorkerSet makes these of Volcano; the operator says whether it has.
- apiGroups: [scheduling.volcano.sh]
  resources: [podgroups]
  verbs: [list]
{{- end }}
{{- if include "dynamo-operator.usesInferencePools" . }}
- apiGroups: [inference.networking.k8s.io]
  resources: [inferencepools]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if include "dynamo-operator.usesGrove" . }}
- apiGroups: [grove.io]
  resources: [podcliquesets]
  verbs: [get, list, watch, create, patch, delete]
# Grove makes these; the operator looks at them and says how many.
- apiGroups: [grove.io]
  resources: [podcliques, podcliquescalinggroups]
  verbs: [get, list, watch]
- apiGroups: [grove.io]
  resources: [podcliques/scale, podcliquescalinggroups/scale]
  verbs: [patch]
# Of a graph that leaves Grove, where no component takes its Service over.
- apiGroups: [""]
  resources: [services]
  verbs: [delete]
{{- end }}
{{- if or (include "dynamo-operator.usesLeaderWorkerSets" .) (include "dynamo-operator.usesGrove" .) }}
# The key pair by which pods of a group start each other's processes; it is made where there is none.
- apiGroups: [""]
  resources: [secrets]
  resourceNames: [mpi-run-ssh-secret]
  verbs: [get, create, patch]
{{- end }}
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [""]
  resources: [serviceaccounts]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [roles, rolebindings]
  verbs: [get, list, watch, create, patch, delete]
# Claims hold data: created, then left alone.
- apiGroups: [""]
  resources: [persistentvolumeclaims]
  verbs: [get, list, watch, create]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [events]
  verbs: [list, watch]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- if or .Values.webhook.authorizeAuthors (not (include "dynamo-operator.restricted" .)) }}
# May an author do it himself; may requests of one namespace make graphs in another?
- apiGroups: [authorization.k8s.io]
  resources: [localsubjectaccessreviews]
  verbs: [create]
{{- end }}
{{- if .Values.dynamo.istio.enabled }}
- apiGroups: [networking.istio.io]
  resources: [virtualservices]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if .Values.dynamo.gateway.enabled }}
- apiGroups: [gateway.networking.k8s.io]
  resources: [httproutes]
  verbs: [get, list, watch, create, patch, delete]
{{- end }}
{{- if include "dynamo-operator.restricted" . }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  verbs: [create]
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [dynamo-operator-namespace-scope]
  verbs: [get, update, delete]
{{- else }}
- apiGroups: [coordination.k8s.io]
  resources: [leases]
  resourceNames: [dynamo-operator-namespace-scope]
  verbs: [get, list, watch]
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [{{ include "dynamo-operator.name" (list $ "planner") }}]
  verbs: [bind]
{{- if include "dynamo-operator.usesInferencePools" . }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [{{ include "dynamo-operator.name" (list $ "epp") }}]
  verbs: [bind]
{{- end }}
- apiGroups: [rbac.authorization.k8s.io]
  resources: [clusterroles]
  resourceNames: [{{ include "dynamo-operator.name" (list $ "dgdr-profiling") }}]
  verbs: [bind]
# How many GPUs a profiler may count on.
- apiGroups: [""]
  resources: [nodes]
  verbs: [list]
{{- end }}
# Nobody may grant what he has not got.
{{ include "dynamo-operator.discoveryRules" . }}
{{- end -}}

{{- define "dynamo-operator.discoveryRules" -}}
- apiGroups: [""]
  resources: [endpoints]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [nvidia.com]
  resources: [dynamoworkermetadatas]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end -}}

{{/* What a profiler may do: run graphs to measure them, and read what their pods say. */}}
{{- define "dynamo-operator.profilingRules" -}}
- apiGroups: [nvidia.com]
  resources: [dynamographdeployments]
  verbs: [get, list, watch, create, delete]
- apiGroups: [nvidia.com]
  resources: [dynamographdeploymentrequests]
  verbs: [get]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list]
- apiGroups: [""]
  resources: [pods/log]
  verbs: [get]
{{- end -}}

{{- define "dynamo-operator.plannerRules" -}}
- apiGroups: [nvidia.com]
  resources: [dynamocomponentdeployments, dynamographdeployments]
  verbs: [get, list, create, update, patch]
- apiGroups: [nvidia.com]
  resources: [dynamographdeploymentscalingadapters/scale]
  verbs: [patch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [nvidia.com]
  resources: [dynamoworkermetadatas]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end -}}

{{/* What an endpoint picker may do: read its pool and who is in it, and find the runtime's workers. */}}
{{- define "dynamo-operator.eppRules" -}}
- apiGroups: [inference.networking.k8s.io]
  resources: [inferencepools]
  verbs: [get, list, watch]
- apiGroups: [inference.networking.x-k8s.io]
  resources: [inferencepools, inferenceobjectives, inferencemodelrewrites]
  verbs: [get, list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [get, list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [get, list, watch]
- apiGroups: [nvidia.com]
  resources: [dynamoworkermetadatas]
  verbs: [get, list, watch, create, update, patch, delete]
{{- end -}}
