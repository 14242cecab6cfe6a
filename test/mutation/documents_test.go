package mutation

// freeKeys are mappings whose keys people invent: a misspelt one cannot be told.
var freeKeys = []string{
	"*.dynamo-operator.controllerManager.nodeSelector",
	"*.dynamo-operator.controllerManager.serviceAccount.annotations",
	"*.daemonset.nodeSelector",
	"*.daemonset.podLabels",
	"*.daemonset.podAnnotations",
	"*.serviceAccount.annotations",
	"**.matchLabels",
}

// foreignKeys belong to third-party charts, which alone know them.
var foreignKeys = []string{"*.nats", "*.etcd", "*.kai-scheduler", "*.grove"}

const filledPlatform = `
platform:
  global: {imageRegistry: "registry.example.com:5000/mirror", image: {registry: "registry.example.com:5000/mirror"}, imagePullSecrets: [{name: pull}]}
  dynamo-operator:
    nameOverride: operator
    discoveryBackend: etcd
    natsAddr: nats://nats.messaging:4222
    etcdAddr: http://etcd.data:2379
    modelExpressURL: http://models.example.com:8001
    imagePullSecrets: [{name: own}]
    controllerManager:
      replicas: 3
      tolerations:
        - {key: spot, operator: Exists, effect: NoSchedule}
        - {key: maintenance, operator: Equal, value: soon, effect: NoExecute, tolerationSeconds: 60}
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions: [{key: pool, operator: In, values: [system]}]
        podAntiAffinity:
          preferredDuringSchedulingIgnoredDuringExecution:
            - weight: 50
              podAffinityTerm:
                topologyKey: kubernetes.io/hostname
                labelSelector: {matchLabels: {control-plane: controller-manager}}
      nodeSelector: {pool: system}
      priorityClassName: system-cluster-critical
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: topology.kubernetes.io/zone
          whenUnsatisfiable: ScheduleAnyway
          labelSelector: {matchLabels: {control-plane: controller-manager}}
      podDisruptionBudget: {enabled: true}
      leaderElection: {id: election.example.com, namespace: kube-system}
      manager:
        image: {repository: "registry.example.com:5000/team/operator", tag: v1.2.3, pullPolicy: Always}
        resources: {requests: {cpu: 250m, memory: 256Mi, ephemeral-storage: 1Gi}, limits: {cpu: "2", memory: 2Gi}}
        containerSecurityContext:
          runAsUser: 1000
          runAsNonRoot: true
          seccompProfile: {type: RuntimeDefault}
          capabilities: {drop: [ALL]}
      serviceAccount: {annotations: {example.com/role: operator}}
      logLevel: debug
    dynamo:
      ingress: {enabled: true, className: nginx, tlsSecretName: wildcard}
      ingressHostSuffix: llm.example.com
      metrics: {prometheusEndpoint: "http://prometheus.monitoring:9090"}
    metricsService:
      type: NodePort
      ports: [{name: https, port: 443, nodePort: 30443, protocol: TCP, targetPort: https}]
    webhook:
      failurePolicy: Ignore
      timeoutSeconds: 5
      certificateValidity: 90
      certificateSecret: {name: own-cert}
      namespaceSelector: {matchExpressions: [{key: dynamo, operator: Exists}]}
`

const restrictedPlatform = `
platform:
  dynamo-operator:
    controllerManager: {replicas: 2}
    metricsService: {enabled: false}
    webhook:
      certManager:
        enabled: true
        certificate: {duration: 2160h, renewBefore: 360h}
        rootCA: {duration: 87600h, renewBefore: 720h}
`

const filledChrek = `
chrek:
  global: {imageRegistry: registry.example.com/mirror, imagePullSecrets: [{name: mirror}]}
  storage: {pvc: {keep: false, size: 2Ti, storageClass: fast-nfs, accessMode: ReadWriteOnce, name: models, basePath: /models}}
  node: {kubeletRoot: /var/lib/k0s/kubelet}
  serviceAccount: {create: false, name: restorer, annotations: {example.com/owner: platform}}
  daemonset:
    image: {repository: "registry.example.com:5000/team/agent", tag: v1.2.3}
    resources: {requests: {cpu: 250m, memory: 512Mi}, limits: {cpu: 1, memory: 4Gi}}
    priorityClassName: system-node-critical
    updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 25%}}
    podLabels: {team: inference}
    podAnnotations: {example.com/scrape: "true"}
    affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: [{matchExpressions: [{key: pool, operator: In, values: [h100]}]}]}}}
  networkPolicy: {enabled: false}
  config:
    agent: {listenAddr: ":9090", logLevel: debug}
    checkpoint: {criu: {timeout: 3600, tcpClose: false, tcpEstablished: true, manageCgroupsMode: soft}}
`

const renamedChrek = `
chrek:
  config:
    criu: {timeout: 3600, ghostLimit: 1073741824, workDir: /var/criu}
    overlay: {exclusions: [/proc, "*/.cache/huggingface"]}
`

const smallFleet = `
apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: small}
spec:
  profiles: [dev]
  platforms:
    - namespace: team-a
      scope: namespace
    - namespace: team-b
      scope: namespace
`

const filledFleet = `
apiVersion: wheelhouse.dev/v1alpha1
kind: Fleet
metadata: {name: filled}
spec:
  profiles: [prod]
  chartMirrors: {"oci://ghcr.io/": "oci://registry.example.com/"}
  shared:
    registry: registry.example.com/mirror
    imagePullSecrets: [pull]
  crds: {namespace: crds}
  values:
    - platform:
        dynamo-operator:
          controllerManager: {logLevel: warn, manager: {resources: {limits: {memory: 1Gi}}}}
    - values.yaml
  platforms:
    - namespace: team-a
      release: inference
      scope: namespace
      wave: canary
      values:
        - values.yaml
    - namespace: team-b
      wave: rest
      values:
        - platform: {dynamo-operator: {controllerManager: {replicas: 3}}}
  platformsFrom: [tenants/*.yaml]
`
