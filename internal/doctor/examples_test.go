package doctor

import (
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// example is a snapshot in which a check finds something, and one that is as alike as
// can be, in which it does not.
type example struct {
	bad, good string
	// worse and better change what is no manifest.
	worse, better func(*Snapshot)
	// at is where it is found, and seen a part of what shows it.
	at, seen string
}

// Manifests that several examples have.
const (
	operator = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: op, namespace: team, labels: {app.kubernetes.io/name: dynamo-operator, app.kubernetes.io/version: 1.0.0}},
  spec: {replicas: 1, selector: {matchLabels: {app: op}}, template: {metadata: {labels: {app: op}}, spec: {serviceAccountName: op, containers: [{name: manager, ports: [{name: webhook-server, containerPort: 9443}]}]}}},
  status: {readyReplicas: 1}}`
	hookService = `{apiVersion: v1, kind: Service, metadata: {name: op-webhook, namespace: team}, spec: {selector: {app: op}}}`
	hookConfig  = `{apiVersion: admissionregistration.k8s.io/v1, kind: ValidatingWebhookConfiguration, metadata: {name: op-validating},
  webhooks: [{name: a.example.com, rules: [{apiGroups: [nvidia.com]}], clientConfig: {service: {namespace: team, name: op-webhook}}}]}`
	hookEndpoints = `{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: op-webhook-x, namespace: team, labels: {kubernetes.io/service-name: op-webhook}},
  addressType: IPv4, endpoints: [{addresses: [10.0.0.1], conditions: {ready: true}}]}`
	natsSet = `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: nats, namespace: team, labels: {app.kubernetes.io/name: nats}},
  spec: {replicas: 1, selector: {matchLabels: {app: nats}}, template: {metadata: {labels: {app: nats}}, spec: {containers: [{name: nats}]}}, volumeClaimTemplates: [{metadata: {name: js}}]}, status: {readyReplicas: 0}}`
	natsClaim = `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: js-nats-0, namespace: team}, spec: {storageClassName: fast, accessModes: [ReadWriteOnce], resources: {requests: {storage: 10Gi}}}, status: {phase: Pending}}`
	natsPod   = `{apiVersion: v1, kind: Pod, metadata: {name: nats-0, namespace: team, labels: {app: nats}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: nats, uid: x, controller: true}]},
  spec: {volumes: [{name: js, persistentVolumeClaim: {claimName: js-nats-0}}], containers: [{name: nats}]},
  status: {phase: Pending, conditions: [{type: PodScheduled, status: "False", reason: Unschedulable, message: pod has unbound immediate PersistentVolumeClaims}]}}`
	standard = `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: standard, annotations: {storageclass.kubernetes.io/is-default-class: "true"}}, provisioner: x}`
	agentSet = `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: chrek-agent, namespace: team, labels: {app.kubernetes.io/part-of: chrek}},
  spec: {selector: {matchLabels: {app: agent}}, template: {metadata: {labels: {app: agent}}, spec: {hostPID: true, runtimeClassName: nvidia, nodeSelector: {nvidia.com/gpu.present: "true", kubernetes.io/arch: amd64},
    containers: [{name: agent, securityContext: {capabilities: {add: [SYS_ADMIN, SYS_PTRACE, NET_ADMIN, SETPCAP, DAC_OVERRIDE]}}}]}}}, status: {desiredNumberScheduled: 1, numberReady: 1}}`
	agentPod = `{apiVersion: v1, kind: Pod, metadata: {name: chrek-agent-x, namespace: team, labels: {app: agent}}, spec: {nodeName: n1, containers: [{name: agent}]}, status: {phase: Running, conditions: [{type: Ready, status: "False"}]}}`
	gpuNode  = `{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {nvidia.com/gpu.present: "true", kubernetes.io/arch: amd64}}, status: {conditions: [{type: Ready, status: "True"}]}}`
)

const natsWithoutVolume = natsSet + "\n---\n" + natsClaim + "\n---\n" + natsPod + "\n---\n" + standard

// pod is one in a state.
func pod(spec, status string) string {
	return `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: team}, spec: ` + spec + `, status: ` + status + `}`
}

func with(manifests ...string) (out string) {
	for _, m := range manifests {
		out += m + "\n---\n"
	}
	return out
}

// lease is one that was renewed by a clock that is so far off.
func lease(skew time.Duration) string {
	return `{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: n1, namespace: kube-node-lease, managedFields: [{manager: kubelet, operation: Update, apiVersion: coordination.k8s.io/v1, time: "` +
		now.Format(time.RFC3339) + `"}]}, spec: {holderIdentity: n1, renewTime: "` + now.Add(skew).Format("2006-01-02T15:04:05.000000Z") + `"}}`
}

func policy(spec string) string {
	return `{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: team}, spec: ` + spec + `}`
}

func etcd(ready string) string {
	return `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: etcd, namespace: team, labels: {app.kubernetes.io/name: etcd}},
  spec: {replicas: 3, selector: {matchLabels: {app: etcd}}, template: {metadata: {labels: {app: etcd}}}}, status: {readyReplicas: ` + ready + `}}`
}

// refused is a Deployment whose pods are.
func refused(message string) string {
	return `{apiVersion: apps/v1, kind: Deployment, metadata: {name: d, namespace: team}, spec: {replicas: 1, selector: {matchLabels: {app: d}}}, status: {conditions: [{type: ReplicaFailure, status: "True", message: '` + message + `'}]}}`
}

func record(status string, age time.Duration) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Releases = []Release{{Key: fleet.Key{Namespace: "team", Name: "dynamo-platform"}, Revision: 3, Status: status, Updated: now.Add(-age)}}
	}
}

func operators(all ...check.Operator) func(*Snapshot) {
	return func(s *Snapshot) { s.Operators = all }
}

func served(schema map[string]any) func(*Snapshot) {
	return func(s *Snapshot) {
		s.Known = []check.KnownKind{{Kind: "DynamoModel", Name: "dynamomodels.nvidia.com", Schema: map[string]any{"properties": map[string]any{"spec": map[string]any{}}}}}
		s.Served = map[string]map[string]any{"DynamoModel": schema}
	}
}

func wants(s *Snapshot) {
	s.Fleet = &Fleet{Releases: []fleet.Release{{Key: fleet.Key{Namespace: "team", Name: "dynamo-platform"}}}}
}

func examples(t *testing.T) map[string]example {
	t.Helper()
	cluster := check.Operator{Release: fleet.Key{Namespace: "system", Name: "a"}, Scope: fleet.ScopeCluster, Proven: true, Found: "ClusterRole a"}
	restricted := check.Operator{Release: fleet.Key{Namespace: "team", Name: "b"}, Scope: fleet.ScopeNamespace, Serves: "team", Proven: true, Found: "Role team/b"}
	elsewhere := check.Operator{Release: fleet.Key{Namespace: "other", Name: "c"}, Scope: fleet.ScopeNamespace, Serves: "other", Proven: true, Found: "Role other/c"}
	unfit := `{"level":"ERROR","msg":"CRIU is 4.0, too old","node":"n1","check":"criu","required":true,"passed":false,"fix":"use an agent image with CRIU 4.2 or newer"}` + "\n"
	mended := unfit + `{"level":"INFO","msg":"CRIU is 4.2","check":"criu","required":true,"passed":true}` + "\n"
	return map[string]example{
		"not-permitted": {
			worse: func(s *Snapshot) { s.Unread = []Unread{{Fact: Nodes, Reason: "you may not"}} },
			at:    "Cluster as a whole", seen: "nodes: you may not",
		},
		"node-not-ready": {
			bad:  with(`{apiVersion: v1, kind: Node, metadata: {name: n1}, status: {conditions: [{type: Ready, status: "True"}, {type: DiskPressure, status: "True", message: kubelet has disk pressure}]}}`, pod("{nodeName: n1}", "{}")),
			good: with(gpuNode, pod("{nodeName: n1}", "{}")), at: "Node n1", seen: "DiskPressure is True: kubelet has disk pressure; 1 pod",
		},
		"clock-skew": {bad: lease(-3 * time.Minute), good: lease(2 * time.Second), at: "Lease kube-node-lease/n1", seen: "3m0s behind"},
		"namespace-terminating": {
			bad:  `{apiVersion: v1, kind: Namespace, metadata: {name: team, deletionTimestamp: "2026-11-01T11:00:00Z"}, status: {conditions: [{type: NamespaceFinalizersRemaining, status: "True", message: some content has finalizers}]}}`,
			good: `{apiVersion: v1, kind: Namespace, metadata: {name: team, deletionTimestamp: "2026-11-01T11:59:30Z"}}`, at: "Namespace team", seen: "some content has finalizers",
		},
		"dns-broken": {
			bad: with(`{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}}`),
			good: with(`{apiVersion: v1, kind: Service, metadata: {name: kube-dns, namespace: kube-system}}`,
				`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x, namespace: kube-system, labels: {kubernetes.io/service-name: kube-dns}}, addressType: IPv4, endpoints: [{addresses: [10.0.0.2]}]}`),
			at: "Service kube-system/kube-dns", seen: "no pod behind it is ready",
		},
		"second-operator": {worse: operators(restricted, cluster), better: operators(restricted, elsewhere), at: "Role team/b", seen: "release team/b (scope namespace, found by Role team/b) beside release system/a (scope cluster"},
		"crds-older": {
			bad: operator, good: operator, worse: served(map[string]any{"properties": map[string]any{}}), better: served(map[string]any{"properties": map[string]any{"spec": map[string]any{}}}),
			at: "CustomResourceDefinition dynamomodels.nvidia.com", seen: "has no spec in dynamomodels.nvidia.com",
		},
		"operator-cut-off": {
			bad:  with(operator, policy(`{podSelector: {}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}, {ports: [{port: 53, protocol: UDP}]}]}`)),
			good: with(operator, policy(`{podSelector: {}, policyTypes: [Egress, Ingress], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 400, endPort: 500}]}], ingress: [{ports: [{port: webhook-server}]}]}`)),
			at:   "NetworkPolicy team/closed", seen: "Deployment team/op is selected by closed",
		},
		"operator-without-rights": {
			bad: operator, good: with(operator, `{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: b, namespace: team}, subjects: [{kind: ServiceAccount, name: op}], roleRef: {name: r, kind: Role, apiGroup: rbac.authorization.k8s.io}}`),
			at: "Deployment team/op", seen: "ServiceAccount team/op of Deployment team/op is in no RoleBinding",
		},
		"storage-class-missing": {bad: natsWithoutVolume, good: with(natsClaim, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x}`), at: "StorageClass fast", seen: "asked for by team/js-nats-0; the cluster has: standard"},
		"no-default-storage-class": {
			bad:  with(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: team}, status: {phase: Pending}}`, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x}`),
			good: with(`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: team}, status: {phase: Pending}}`, standard),
			at:   "StorageClass (default)", seen: "asked for by team/c; the cluster has: fast",
		},
		"claim-missing": {bad: natsPod, good: with(natsPod, natsClaim), at: "PersistentVolumeClaim team/js-nats-0", seen: "mounted by team/nats-0"},
		"claim-pending": {
			bad:  with(natsClaim, `{apiVersion: v1, kind: Event, metadata: {name: e, namespace: team}, involvedObject: {kind: PersistentVolumeClaim, name: js-nats-0, namespace: team}, type: Warning, reason: ProvisioningFailed, message: no room}`),
			good: with(natsClaim, `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}, provisioner: x, volumeBindingMode: WaitForFirstConsumer}`),
			at:   "PersistentVolumeClaim team/js-nats-0", seen: "phase Pending, storage class fast, ReadWriteOnce, 10Gi; ProvisioningFailed: no room",
		},
		"runtime-class-missing": {bad: agentSet, good: with(agentSet, `{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: nvidia}, handler: nvidia}`), at: "RuntimeClass nvidia", seen: "asked for by team/chrek-agent; the cluster has: none"},
		"agent-without-capabilities": {
			bad:  `{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: a, namespace: team, labels: {app.kubernetes.io/part-of: chrek}}, spec: {template: {spec: {hostPID: true, containers: [{name: agent, securityContext: {capabilities: {add: [SYS_PTRACE, NET_ADMIN, SETPCAP, DAC_OVERRIDE]}}}]}}}}`,
			good: agentSet, at: "DaemonSet team/a", seen: "its container has not got SYS_ADMIN",
		},
		"pods-forbidden": {
			bad: refused(`pods "d-x" is forbidden: violates PodSecurity "restricted:latest": hostPID`), good: refused(`something else`), at: "Deployment team/d", seen: "violates PodSecurity",
		},
		"quota-exceeded": {
			bad:  refused(`pods "d-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2`),
			good: refused(`something else`), at: "ResourceQuota team/small", seen: "small, requested: pods=1, used: pods=2, limited: pods=2",
		},
		"no-matching-node": {
			bad:  with(agentSet, `{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {kubernetes.io/arch: amd64}}}`),
			good: with(agentSet, gpuNode), at: "DaemonSet team/chrek-agent", seen: "1 node; missing: nvidia.com/gpu.present=true",
		},
		"image-not-pulled": {
			bad:  pod(`{containers: [{name: c}]}`, `{phase: Pending, containerStatuses: [{name: c, image: "registry.example.com/x:1", state: {waiting: {reason: ErrImagePull, message: "unauthorized"}}}]}`),
			good: pod(`{containers: [{name: c}]}`, `{phase: Pending, containerStatuses: [{name: c, image: "registry.example.com/x:1", state: {waiting: {reason: ContainerCreating}}}]}`),
			at:   "Pod team/p", seen: "ErrImagePull: unauthorized",
		},
		"seccomp-missing": {
			bad:  pod(`{nodeName: n1, securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/block-iouring.json}}}`, `{phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: CreateContainerError, message: "cannot load seccomp profile: no such file or directory"}}}]}`),
			good: pod(`{nodeName: n1, securityContext: {seccompProfile: {type: Localhost, localhostProfile: profiles/block-iouring.json}}}`, `{phase: Pending, containerStatuses: [{name: c, state: {waiting: {reason: CreateContainerError, message: "no such device"}}}]}`),
			at:   "Pod team/p", seen: "node n1: CreateContainerError: cannot load seccomp profile",
		},
		"agent-preflight": {
			bad: with(agentSet, agentPod), good: with(agentSet, agentPod), at: "Pod team/chrek-agent-x", seen: "node n1: CRIU is 4.0, too old; fix: use an agent image",
			worse:  func(s *Snapshot) { s.Logs[Place{"Pod", "team", "chrek-agent-x"}] = unfit },
			better: func(s *Snapshot) { s.Logs[Place{"Pod", "team", "chrek-agent-x"}] = mended },
		},
		"nats-without-storage": {
			bad: with(`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: nats, namespace: team, labels: {app.kubernetes.io/name: nats}}, spec: {replicas: 1}, status: {readyReplicas: 1}}`,
				`{apiVersion: v1, kind: ConfigMap, metadata: {name: nats-config, namespace: team}, data: {nats.conf: '{"jetstream": {"store_dir": "/data"}}'}}`),
			good: with(natsSet, `{apiVersion: v1, kind: ConfigMap, metadata: {name: nats-config, namespace: team}, data: {nats.conf: '{"jetstream": {"store_dir": "/data"}}'}}`),
			at:   "StatefulSet team/nats", seen: "ConfigMap nats-config",
		},
		"pod-not-ready": {
			bad:  pod(`{containers: [{name: c}]}`, `{phase: Running, containerStatuses: [{name: c, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}, lastState: {terminated: {exitCode: 3, message: no license}}}]}`),
			good: pod(`{containers: [{name: c}]}`, `{phase: Running, conditions: [{type: Ready, status: "True"}]}`), at: "Pod team/p", seen: "container c ended with exit code 3: no license",
		},
		"quorum-lost": {bad: etcd("1"), good: etcd("2"), at: "StatefulSet team/etcd", seen: "1 of 3 ready, and it needs 2"},
		"workload-not-ready": {
			bad: natsSet, good: operator, at: "StatefulSet team/nats", seen: "0 of 1 ready",
		},
		"certificate-expired": {bad: hookConfig, good: hookConfig, worse: serving(t, -400*24*time.Hour, false), better: serving(t, 0, true), at: "Secret team/webhook-server-cert", seen: "tls.crt expired at"},
		"certificate-wrong":   {bad: hookConfig, good: hookConfig, worse: serving(t, 0, false), better: serving(t, 0, true), at: "ValidatingWebhookConfiguration op-validating", seen: "does not vouch for tls.crt of Secret team/webhook-server-cert"},
		"webhook-unanswered":  {bad: with(hookConfig, hookService), good: with(hookConfig, hookService, hookEndpoints), at: "Service team/op-webhook", seen: "no pod behind it is ready; writes of graphs are refused"},
		"release-stuck":       {worse: record("pending-upgrade", time.Hour), better: record("pending-upgrade", time.Minute), at: "Release team/dynamo-platform", seen: "revision 3 is pending-upgrade since 2026-11-01 11:00:00"},
		"release-failed":      {worse: record("failed", time.Hour), better: record("deployed", time.Hour), at: "Release team/dynamo-platform", seen: "revision 3"},
		"not-installed": {
			worse: wants, better: func(s *Snapshot) { wants(s); record("deployed", 0)(s) }, at: "Release team/dynamo-platform", seen: "no record",
		},
	}
}

// serving has the webhooks serve a certificate that was issued at another time, and the
// configuration trust it, or another.
func serving(t *testing.T, since time.Duration, trusted bool) func(*Snapshot) {
	t.Helper()
	return func(s *Snapshot) {
		issue := func(since time.Duration) *certs.Material {
			m, err := certs.Issue("op-webhook.team.svc", now.Add(since), 365*24*time.Hour, nil)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		served, bundle := issue(since), issue(0).Bundle()
		if trusted {
			bundle = served.Bundle()
		}
		s.Certificates = []Certificate{{Secret: fleet.Key{Namespace: "team", Name: "webhook-server-cert"}, PEM: served.Data()["tls.crt"]}}
		s.Validating[0].Webhooks[0].ClientConfig.CABundle = bundle
	}
}
