package mutation

import (
	"strings"
	"testing"
)

// TestMessagesTellWhatIsMeant: where, what, and what to do.
func TestMessagesTellWhatIsMeant(t *testing.T) {
	for name, test := range map[string]struct{ values, want string }{
		"operator's key a level too high": {
			`platform: {namespaceRestriction: {enabled: true}}`,
			"values.yaml:1:12: platform.namespaceRestriction: unknown key (dynamo-operator.namespaceRestriction in its place: the key belongs to dynamo-operator)",
		},
		"misspelt": {
			`platform: {dynamo-operator: {controllerManager: {replica: 2}}}`,
			`values.yaml:1:50: platform.dynamo-operator.controllerManager.replica: unknown key (did you mean "replicas"?)`,
		},
		"known elsewhere": {
			`platform: {dynamo-operator: {replicas: 2}}`,
			"platform.dynamo-operator.replicas: unknown key (did you mean dynamo-operator.controllerManager.replicas?)",
		},
		"removed": {
			`chrek: {storage: {signalHostPath: /var/lib/chrek/signals}}`,
			"values.yaml:1:19: chrek.storage.signalHostPath: unknown key (storage without signalHostPath: the agent mounts no such path of the node)",
		},
		"refused with a reason": {
			`platform: {dynamo-operator: {dynamo: {virtualServiceSupportsHTTPS: true}}}`,
			"values.yaml:1:39: platform.dynamo-operator needs dynamo.virtualServiceSupportsHTTPS=false: no operator has ever used it",
		},
		"unit of a duration": {
			`platform: {dynamo-operator: {namespaceRestriction: {lease: {duration: 1d}}}}`,
			`is "1d"; it must be a duration such as 30s, 5m or 1h30m`,
		},
		"duration without unit": {
			`platform: {dynamo-operator: {namespaceRestriction: {lease: {duration: 30}}}}`,
			`is 30; it must be a duration such as 30s, 5m or 1h30m`,
		},
		"bytes without unit": {
			`platform: {dynamo-operator: {controllerManager: {manager: {resources: {limits: {memory: 512}}}}}}`,
			`is 512; it must be a number of bytes with a unit, such as 512Mi or 4Gi`,
		},
		"field of a Kubernetes type": {
			`platform: {dynamo-operator: {controllerManager: {tolerations: [{key: spot, efect: NoSchedule}]}}}`,
			`platform.dynamo-operator.controllerManager.tolerations.0.efect: unknown key (did you mean "effect"?)`,
		},
		"enumeration of Kubernetes": {
			`platform: {dynamo-operator: {controllerManager: {tolerations: [{operator: Exist}]}}}`,
			`is "Exist"; it must be one of: "", "Equal", "Exists", "Gt", "Lt"`,
		},
		"a label that YAML reads as something else": {
			`platform: {dynamo-operator: {controllerManager: {nodeSelector: {gpu: true}}}}`,
			`is true; it must be a text of at most 63 letters, digits, dashes, dots and underscores (in quotes, if it looks like a number or is true or false)`,
		},
		"pattern of the key's own": {
			`platform: {dynamo-operator: {webhook: {caBundle: "-----BEGIN"}}}`,
			`is "-----BEGIN", which does not fit: Base64 of the PEM of the authority, with certificateSecret.external only.`,
		},
		"unread global": {
			`platform: {global: {imageRegistri: registry.example.com}}`,
			`values.yaml:1:21: platform.global.imageRegistri: unknown key (did you mean "imageRegistry"?)`,
		},
		"global of a sub-chart alone": {
			`platform: {dynamo-operator: {global: {imageRegistry: registry.example.com}}}`,
			"platform.dynamo-operator.global.imageRegistry: has no effect, because the release's own global.imageRegistry wins (set platform.global.imageRegistry)",
		},
		"third-party chart's switch": {
			`platform: {nats: {enabeld: true}}`,
			`platform.nats.enabeld: unknown key (did you mean "enabled"?)`,
		},
		"scope in the fleet's values": {
			`platform: {dynamo-operator: {namespaceRestriction: {enabled: "false"}}}`,
			`values.yaml:1:53: namespaceRestriction.enabled is "false", but platform inference/dynamo-platform (fleet.yaml:`,
		},
		"two shapes": {
			`platform: {dynamo-operator: "on"}`,
			`values.yaml:1:12: platform.dynamo-operator: is no mapping here, and something else where it is overridden: fleet.yaml:`,
		},
		"no values at all": {`platform: text`, `the values of chart "platform" must be a mapping`},
	} {
		err := checkOf(test.values)([]byte(test.values))
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got:\n%v\nwant:\n%s", name, err, test.want)
		}
	}
}

// TestUnusualValuesAreAccepted keeps the schemas from becoming too strict.
func TestUnusualValuesAreAccepted(t *testing.T) {
	for _, values := range []string{
		`platform: {dynamo-operator: {controllerManager: {manager: {resources: {limits: {cpu: 0.5, memory: 1.5Gi, nvidia.com/gpu: 1}}}}}}`,
		`platform: {dynamo-operator: {controllerManager: {manager: {resources: {requests: {cpu: "2", memory: 134217728, hugepages-2Mi: 4Mi}}}}}}`,
		`platform: {dynamo-operator: {controllerManager: {manager: {resources: {limits: null}}}}}`,
		`platform: {dynamo-operator: {controllerManager: {tolerations: [{operator: Exists}, {key: a/b, effect: ""}]}}}`,
		`platform: {dynamo-operator: {controllerManager: {affinity: null, priorityClassName: null, nodeSelector: {"node.kubernetes.io/x": ""}}}}`,
		`platform: {dynamo-operator: {namespaceRestriction: {targetNamespace: null, lease: {duration: 1m30s}}}}`,
		`platform: {dynamo-operator: {dynamo: {ingress: {enabled: false, className: null, tlsSecretName: null}}}}`,
		`platform: {dynamo-operator: {metricsService: {ports: [{port: 443, targetPort: 8443}]}}}`,
		`platform: {dynamo-operator: {natsAddr: "nats://a:4222,nats://b:4222", etcdAddr: "etcd-0.etcd:2379,etcd-1.etcd:2379"}}`,
		`platform: {dynamo-operator: {modelExpressURL: "http://[fd00::1]:8001/path"}}`,
		`platform: {dynamo-operator: {controllerManager: {manager: {image: {repository: "localhost:5000/operator"}}}}}`,
		`platform: {dynamo-operator: {imagePullSecrets: [plain, {name: named}]}}`,
		`platform: {global: {imageRegistry: "localhost:5000", image: {registry: "localhost:5000"}}}`,
		`platform: {nats: {config: {websocket: {enabled: true}}, container: {env: {A: b}}}, etcd: {nodeSelector: {a: b}}}`,
		`platform: {kai-scheduler: {global: {tolerations: []}}, grove: {anything: [1]}}`,
		`crds: {global: {}}`,
		`platform: null`,
		`chrek: {storage: {pvc: {size: 1e12}}, daemonset: {updateStrategy: {type: OnDelete, rollingUpdate: null}}}`,
		`chrek: {config: {agent: {listenAddr: ":65535"}}}`,
		`chrek: {daemonset: {updateStrategy: {rollingUpdate: {maxUnavailable: 100%, maxSurge: 0}}, podLabels: {a.b/c: "1"}}}`,
	} {
		if err := checkOf(values)([]byte(values)); err != nil {
			t.Errorf("%s: %v", values, err)
		}
	}
}

func checkOf(values string) func([]byte) error {
	if strings.HasPrefix(values, "chrek:") {
		return checkChrek
	}
	return checkValues
}
