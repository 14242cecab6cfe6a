// Package config is the checkpoint agent's configuration file: one versioned,
// validated document, normally rendered by the chrek chart into a ConfigMap
// and given to the process as --config.
//
// Unknown keys are errors. What a file leaves out takes the value shown here;
// a complete file with every default looks like this:
//
//	apiVersion: chrek.config.dynamo.nvidia.com/v1alpha1
//	kind: AgentConfiguration
//	agent:
//	  # How checkpoints are asked for: watcher, that is, in the Kubernetes API.
//	  signalSource: watcher
//	  # The namespace whose pods are checkpointed and restored. Empty: none is, and
//	  # the agent only prepares its node.
//	  targetNamespace: ""
//	  # Where /healthz and /readyz are served, host:port.
//	  listenAddr: ":8080"
//	  # debug, info, warn or error.
//	  logLevel: info
//	  # Serve /metrics there too, to whoever reaches the pod.
//	  metrics: false
//	node:
//	  # The socket on which the kubelet tells which pod has which device. That it
//	  # answers shows that the agent was given the right kubelet's folder.
//	  kubeletSocket: /host/pod-resources/kubelet.sock
//	seccomp:
//	  # Whether the agent puts the seccomp profile on its node.
//	  deploy: true
//	  # The kubelet's folder for profiles; ours goes to profiles/ in it.
//	  directory: /host/seccomp
//	storage:
//	  # pvc: checkpoints are on a volume that is mounted at checkpoint.basePath.
//	  type: pvc
//	  # How long a checkpoint stays that no DynamoCheckpoint and no pod means any more.
//	  # 0s: for ever.
//	  gracePeriod: 24h0m0s
//	checkpoint:
//	  basePath: /checkpoints
//	  # Options of CRIU; criu(8) describes them.
//	  criu:
//	    ghostLimit: 536870912 # bytes of a deleted file that is still open
//	    timeout: 21600        # seconds
//	    logLevel: 4           # 0 to 4
//	    workDir: /var/criu-work
//	    libDir: /usr/local/lib/criu # plugins; empty: none
//	    leaveRunning: true
//	    shellJob: true
//	    tcpClose: true          # not together with tcpEstablished
//	    tcpEstablished: false
//	    fileLocks: true
//	    orphanPtsMaster: true
//	    extUnixSk: true
//	    linkRemap: true
//	    extMasters: true
//	    manageCgroupsMode: ignore # ignore, soft, full or strict
//	    autoDedup: false
//	    lazyPages: false
//	    allowUprobes: true
//	    skipInFlight: true
//	  # What a checkpoint of the file system leaves out: "./path" from the root,
//	  # "*/path" at any depth.
//	  rootfsExclusions:
//	    systemDirs: [./proc, ./sys, ./dev]
//	    cacheDirs: ["*/.cache/huggingface", "*/__pycache__"]
//	    additionalExclusions: []
package config
