// Package config is the operator's configuration file: one versioned,
// validated document, normally rendered by the chart into a ConfigMap and
// given to the process as --config.
//
// Unknown keys are errors. What a file leaves out takes the value shown here;
// a complete file with every default looks like this:
//
//	apiVersion: operator.config.dynamo.nvidia.com/v1alpha1
//	kind: OperatorConfiguration
//	namespace:
//	  # The one namespace this operator serves, which need not be the one that its
//	  # own pod runs in. Empty: the whole cluster, less
//	  # the namespaces that an operator of their own has claimed.
//	  restricted: ""
//	  scope:
//	    # How long a restricted operator's claim to its namespace outlives its
//	    # last sign of life, and how often it gives one. The duration is in
//	    # whole seconds and longer than the interval. A cluster-wide operator
//	    # ignores both: it believes what it reads in the claim.
//	    leaseDuration: 30s
//	    leaseRenewInterval: 10s
//	leaderElection:
//	  # Off only where one replica is certain to run alone.
//	  enabled: true
//	  # Name of the election's Lease.
//	  id: dynamo.nvidia.com
//	  # Namespace of the election's Lease. Empty: the one that the operator's own
//	  # pod runs in.
//	  namespace: ""
//	server:
//	  metrics:
//	    # "0" serves no metrics; otherwise host:port, such as ":8443".
//	    bindAddress: "0"
//	    # true: HTTPS, for callers whose token may "get" the nonResourceURL
//	    # /metrics. The operator then creates tokenreviews and
//	    # subjectaccessreviews, which only a ClusterRole can allow. The certificate
//	    # is that of the webhooks, or one of its own if there are none.
//	    # false: plain HTTP without authentication.
//	    secure: true
//	  healthProbe:
//	    # /healthz and /readyz; "0" serves neither.
//	    bindAddress: ":8081"
//	  profile:
//	    # Go's profiles of the process, at /debug/pprof/, for whoever may forward a
//	    # port of the pod; "0" serves none, and only addresses of the pod alone, such
//	    # as 127.0.0.1:6060, are allowed.
//	    bindAddress: "0"
//	  webhook:
//	    # Refuse a graph whose author may not create pods there, use the Secrets and
//	    # ServiceAccounts that it names, or create the Ingress that it asks for.
//	    authorizeAuthors: false
//	    # Where the admission webhooks are served, such as ":9443"; "0" serves none.
//	    bindAddress: "0"
//	    certificates:
//	      # self: the operator makes the certificate, keeps it in a Secret, renews
//	      # it, and tells the API server to trust it; what follows but directory
//	      # is for that. secret: somebody else does, and writes the Secret; the
//	      # operator reads it. A restricted operator never is "self": it has no
//	      # rights on webhook configurations. files: somebody else does, and
//	      # tls.crt and tls.key are in the directory.
//	      source: self
//	      directory: /tmp/k8s-webhook-server/serving-certs
//	      # Namespace of the Secret and of the Service in front of the webhooks.
//	      namespace: ""
//	      secretName: webhook-server-cert
//	      serviceName: ""
//	      # Names of the webhook configurations to write the authority into.
//	      validatingConfiguration: ""
//	      mutatingConfiguration: ""
//	      # Life of a certificate; it is renewed when a third is left.
//	      validity: 8760h
//	discovery:
//	  # How the components of a graph find one another: kubernetes or etcd. A
//	  # graph's annotation nvidia.com/dynamo-discovery-backend overrides it.
//	  backend: kubernetes
//	infrastructure:
//	  # Each becomes a variable of every main container; empty sets none.
//	  natsAddress: ""        # NATS_SERVER, such as nats://nats.ns.svc:4222
//	  etcdAddress: ""        # ETCD_ENDPOINTS, such as http://etcd.ns.svc:2379
//	  modelExpressURL: ""    # MODEL_EXPRESS_URL
//	  prometheusEndpoint: "" # PROMETHEUS_ENDPOINT
//	ingress:
//	  # IngressClass for frontends whose graph says nothing about ingress.
//	  # Empty: such frontends get no Ingress.
//	  className: ""
//	  # TLS Secret for those; empty: plain HTTP.
//	  tlsSecretName: ""
//	  # Appended to a host; a graph's hostSuffix overrides it.
//	  hostSuffix: local
//	  # Istio gateway, as namespace/name, of frontends whose graph says nothing
//	  # about ingress, and of those that ask for a VirtualService without naming
//	  # one. Empty: the operator makes no VirtualServices.
//	  virtualServiceGateway: ""
//	  # Gateway of the Gateway API, as namespace/name: what is exposed and asks
//	  # neither for an IngressClass, a TLS Secret nor a VirtualService gets an
//	  # HTTPRoute to it. Empty: the operator makes none.
//	  httpRouteGateway: ""
//	  # Domains below which graphs may choose hosts, besides hostSuffix. In one,
//	  # {namespace} stands for the namespace of the graph; "*" allows every host.
//	  allowedHostSuffixes: []
//	  # Beginnings of the annotations that graphs may put on Ingresses,
//	  # VirtualServices, HTTPRoutes and Services. Controllers obey annotations for more than
//	  # the one Ingress, so only those for streaming are allowed at first.
//	  allowedAnnotationPrefixes:
//	    - nginx.ingress.kubernetes.io/proxy-body-size
//	    - nginx.ingress.kubernetes.io/proxy-buffering
//	    - nginx.ingress.kubernetes.io/proxy-connect-timeout
//	    - nginx.ingress.kubernetes.io/proxy-read-timeout
//	    - nginx.ingress.kubernetes.io/proxy-send-timeout
//	rbac:
//	  # ClusterRoles that the operator binds in a namespace whose graphs have a
//	  # planner, an endpoint picker or a profiling Job. Cluster-wide mode only: in
//	  # restricted mode the chart creates Roles and bindings itself.
//	  plannerClusterRoleName: ""
//	  eppClusterRoleName: ""
//	  dgdrProfilingClusterRoleName: ""
//	platform:
//	  # ServiceAccounts and Secrets of the platform in namespaces that it may share
//	  # with graphs. No graph may use them, nor the records of releases.
//	  serviceAccounts: []
//	  secrets: []
//	components:
//	  # Annotations of the ServiceAccounts that pods of graphs run as, e.g. for
//	  # the identity that a cloud gives them.
//	  serviceAccountAnnotations: {}
//	  # Names of pull secrets that those ServiceAccounts refer to, besides the
//	  # ones of their namespace's default ServiceAccount. The Secrets must exist
//	  # in the namespaces of the graphs.
//	  imagePullSecrets: []
//	  # Image of the sidecar of services with nvidia.com/enable-debug-mode: "true".
//	  debuggerImage: python:3.12-slim
//	profiling:
//	  # The operator's own image. In the pods of profiling Jobs it hands on what the
//	  # profiler has written. Empty: DynamoGraphDeploymentRequests are refused.
//	  publisherImage: ""
//	  # Image of the profiler of requests that name none, a runtime that has the
//	  # module benchmarks.profiler.profile_sla. Empty: requests must name one.
//	  profilerImage: nvcr.io/nvidia/ai-dynamo/vllm-runtime:1.0.0
//	orchestrators:
//	  grove:
//	    # Whether graphs are run through the cluster's Grove, where the cluster has
//	    # or gets it. Needs rights on it.
//	    enabled: false
//	    # How long a gang may lack pods before Grove ends it and makes it anew; 0
//	    # leaves it to Grove.
//	    terminationDelay: 15m0s
//	  leaderWorkerSet:
//	    # Whether services over several nodes may be run as LeaderWorkerSets, where
//	    # the cluster has or gets them. Needs rights on them.
//	    enabled: true
//	  kaiScheduler:
//	    # Whether the cluster's KAI scheduler may be used.
//	    enabled: false
//	    # Creates the queues dynamo-default and dynamo if they are absent, and
//	    # never changes or deletes any. Needs get and create on queues, which
//	    # only a ClusterRole can allow.
//	    createQueues: false
//	  inferencePool:
//	    # Whether graphs may have endpoint pickers, where the cluster has or gets the
//	    # API of InferencePools. Needs rights on them.
//	    enabled: true
//	checkpoint:
//	  # Whether checkpoints are taken of workers, and workers started from them. Needs
//	  # agents on the nodes that do it.
//	  enabled: false
//	  # The agents' image, which an init container of the pods has, too. Needed where
//	  # enabled is.
//	  agentImage: ""
//	  # A profile that keeps pods from io_uring, which cannot be stored, as a path
//	  # beneath the kubelet's folder of profiles. It has to be on every node: the
//	  # chart chrek puts profiles/block-iouring.json there. Empty: none.
//	  seccompProfile: ""
//	  # Where agents see what is stored; status.location of a checkpoint begins so.
//	  basePath: /checkpoints
//	  # How many a namespace keeps; the oldest that nobody uses or has pinned go
//	  # first. 0 keeps all.
//	  mostPerNamespace: 0
//	logging:
//	  # debug, info, warn or error.
//	  level: info
package config
