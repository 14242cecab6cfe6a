package config

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/apiclient"
)

// Provisioner is the name that the StorageClass "standard" knows the storage provisioner by.
const Provisioner = "drydock.wheelhouse.dev/directory"

// Objects are what a cluster contains from the start.
func Objects(p Params) []apiclient.Object {
	objects := []apiclient.Object{storageClass, runtimeClass}
	if p.APIOnly {
		return objects
	}
	return append(objects,
		binding("drydock:kubelet-client", "system:kubelet-api-admin", "drydock:kubelet-client"),
		binding("drydock:storage-provisioner", "system:persistent-volume-provisioner", "drydock:storage-provisioner"),
		role("drydock:coredns", `
- apiGroups: [""]
  resources: [services, namespaces]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
`),
		binding("drydock:coredns", "drydock:coredns", "drydock:coredns"),
		dnsService(p.Block.DNS()),
		dnsEndpoints(p.Address()),
	)
}

// Claims are bound at once rather than at first use, because installers wait for them before there is a pod.
var storageClass = apiclient.Object{
	Path: "/apis/storage.k8s.io/v1/storageclasses/standard",
	YAML: `apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: ` + Provisioner + `
reclaimPolicy: Delete
volumeBindingMode: Immediate
`}

var runtimeClass = apiclient.Object{
	Path: "/apis/node.k8s.io/v1/runtimeclasses/nvidia",
	YAML: `apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata:
  name: nvidia
handler: nvidia
`}

func role(name, rules string) apiclient.Object {
	return apiclient.Object{
		Path: "/apis/rbac.authorization.k8s.io/v1/clusterroles/" + name,
		YAML: fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: %q
rules:%s`, name, rules)}
}

func binding(name, clusterRole, user string) apiclient.Object {
	return apiclient.Object{
		Path: "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/" + name,
		YAML: fmt.Sprintf(`apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: %q
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: %q
subjects:
- apiGroup: rbac.authorization.k8s.io
  kind: User
  name: %q
`, name, clusterRole, user)}
}

func dnsService(address string) apiclient.Object {
	return apiclient.Object{
		Path: "/api/v1/namespaces/kube-system/services/kube-dns",
		YAML: fmt.Sprintf(`apiVersion: v1
kind: Service
metadata:
  name: kube-dns
  namespace: kube-system
  labels:
    k8s-app: kube-dns
    kubernetes.io/name: CoreDNS
spec:
  clusterIP: %s
  ports:
  - {name: dns, port: 53, protocol: UDP, targetPort: 53}
  - {name: dns-tcp, port: 53, protocol: TCP, targetPort: 53}
`, address)}
}

// dnsEndpoints points the Service at CoreDNS, which runs as a process of the node.
func dnsEndpoints(address string) apiclient.Object {
	return apiclient.Object{
		Path: "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices/kube-dns",
		YAML: fmt.Sprintf(`apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: kube-dns
  namespace: kube-system
  labels:
    kubernetes.io/service-name: kube-dns
    endpointslice.kubernetes.io/managed-by: drydock
addressType: IPv4
endpoints:
- addresses: [%s]
  conditions: {ready: true}
ports:
- {name: dns, port: 53, protocol: UDP}
- {name: dns-tcp, port: 53, protocol: TCP}
`, address)}
}
