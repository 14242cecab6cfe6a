package render

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/inferenceapi"
)

const (
	pickerConfigKey    = "epp-config-dynamo.yaml"
	pickerConfigVolume = "epp-config"
	pickerConfigDir    = "/etc/epp"
	pickerCacheVolume  = "hf-cache"
	pickerCachePath    = "/home/nonroot/.cache"
	pickerHealthPort   = 9003
	// pickerHealthService is what its health server is asked about.
	pickerHealthService = "inference-extension"
	// pickerConfigAnnotation replaces the pod of a picker, which reads its
	// configuration only once.
	pickerConfigAnnotation = "wheelhouse.dev/picker-config"
)

var picker = componentType{
	argsOf:      pickerArgs,
	port:        &corev1.ContainerPort{Name: "grpc", ContainerPort: 9002, Protocol: corev1.ProtocolTCP},
	appProtocol: ptr.To("http2"),
	morePorts: []corev1.ContainerPort{
		{Name: "grpc-health", ContainerPort: pickerHealthPort, Protocol: corev1.ProtocolTCP},
		{Name: "metrics", ContainerPort: 9090, Protocol: corev1.ProtocolTCP},
	},
	env: func(int32) []corev1.EnvVar {
		return []corev1.EnvVar{
			{Name: "DYN_KV_BLOCK_SIZE", Value: "16"},
			{Name: "USE_STREAMING", Value: "true"},
			{Name: "RUST_LOG", Value: "debug,dynamo_llm::kv_router=trace"},
		}
	},
	liveness:  pickerProbe(corev1.Probe{InitialDelaySeconds: 5, PeriodSeconds: 10}),
	readiness: pickerProbe(corev1.Probe{InitialDelaySeconds: 5, PeriodSeconds: 10}),
	// 180 periods are the half an hour that its tokenizer may take to come.
	startup:        pickerProbe(corev1.Probe{PeriodSeconds: 10, FailureThreshold: 180}),
	serviceAccount: PickerServiceAccount,
	graceSeconds:   130,
}

func pickerProbe(timing corev1.Probe) probe {
	return func(intstr.IntOrString) *corev1.Probe {
		asks := timing
		asks.GRPC = &corev1.GRPCAction{Port: pickerHealthPort, Service: ptr.To(pickerHealthService)}
		return &asks
	}
}

func pickerArgs(c *component, port int32) []string {
	return []string{
		"-pool-name", poolName(c.graph), "-pool-namespace", c.object.Namespace, "-pool-group", inferenceapi.GroupVersion.Group,
		"-v", "4", "--zap-encoder", "json",
		"-grpc-port", itoa(port), "-grpc-health-port", itoa(pickerHealthPort),
		"-config-file", pickerConfigDir + "/" + pickerConfigKey,
	}
}

// HasPicker reports whether one of the graph's services is an endpoint picker.
func HasPicker(dgd *v1alpha1.DynamoGraphDeployment) bool {
	return len(ofType(dgd, v1alpha1.ComponentTypeEPP)) > 0
}

func poolName(graph string) string         { return graph + "-pool" }
func pickerConfigName(graph string) string { return graph + "-epp-config" }

// PickerObjects are what a graph's endpoint picker needs besides its component.
type PickerObjects struct {
	// Config is nil where the picker reads a ConfigMap of the author's.
	Config *corev1.ConfigMap
	// Pool is that by which gateways find the picker.
	Pool *inferenceapi.InferencePool
}

// Picker renders them; nil for a graph without a picker.
func Picker(dgd *v1alpha1.DynamoGraphDeployment) (*PickerObjects, error) {
	names := ofType(dgd, v1alpha1.ComponentTypeEPP)
	if len(names) == 0 {
		return nil, nil
	}
	objects := &PickerObjects{}
	var err error
	if inline := inlineConfig(dgd.Spec.Services[names[0]]); inline != nil {
		if objects.Config, err = pickerConfig(dgd, inline); err != nil {
			return nil, fmt.Errorf("service %s: eppConfig.config: %w", names[0], err)
		}
	}
	objects.Pool, err = inferencePool(dgd, names[0])
	return objects, err
}

// Picked are the names of the services that a graph's endpoint picker picks from,
// sorted: workers with frontends of their own, which know the worker beside
// them, or else the graph's frontends, which know all.
func Picked(dgd *v1alpha1.DynamoGraphDeployment) []string {
	var workers []string
	for _, name := range slices.Sorted(maps.Keys(dgd.Spec.Services)) {
		if service := dgd.Spec.Services[name]; service != nil && hasOwnFrontend(service) {
			workers = append(workers, name)
		}
	}
	if len(workers) > 0 {
		return workers
	}
	return ofType(dgd, v1alpha1.ComponentTypeFrontend)
}

// inferencePool has what the picker picks from.
func inferencePool(dgd *v1alpha1.DynamoGraphDeployment, name string) (*inferenceapi.InferencePool, error) {
	served, port := dgd.Spec.Services[name], frontend.port.ContainerPort
	// The logical namespace alone may be that of several graphs.
	labels := mergeMaps(graphLabels(dgd.Name), map[string]string{v1alpha1.LabelComponentType: v1alpha1.ComponentTypeFrontend})
	if picked := Picked(dgd); len(picked) > 0 {
		served = dgd.Spec.Services[picked[0]]
		var err error
		if port, err = FrontendPort(served, dgd.Spec.Envs); err != nil {
			return nil, fmt.Errorf("service %s: %w", picked[0], err)
		}
		if hasOwnFrontend(served) {
			labels = mergeMaps(graphLabels(dgd.Name), map[string]string{v1alpha1.LabelComponentClass: v1alpha1.ClassWorker})
		}
	}
	labels[v1alpha1.LabelNamespace] = LogicalNamespace(dgd, served)
	return &inferenceapi.InferencePool{
		TypeMeta: metav1.TypeMeta{APIVersion: inferenceapi.GroupVersion.String(), Kind: inferenceapi.KindInferencePool},
		ObjectMeta: metav1.ObjectMeta{
			Name: poolName(dgd.Name), Namespace: dgd.Namespace,
			Labels: mergeMaps(graphLabels(dgd.Name), managedBy(), map[string]string{
				v1alpha1.LabelComponent: name, v1alpha1.LabelComponentType: v1alpha1.ComponentTypeEPP,
			}),
		},
		Spec: inferenceapi.InferencePoolSpec{
			Selector:    inferenceapi.LabelSelector{MatchLabels: labels},
			TargetPorts: []inferenceapi.Port{{Number: port}},
			EndpointPickerRef: inferenceapi.EndpointPickerRef{
				Kind: "Service", Name: ComponentName(dgd.Name, name), Port: &inferenceapi.Port{Number: picker.port.ContainerPort},
			},
		},
	}, nil
}

func inlineConfig(service *v1alpha1.DynamoComponentDeploymentSharedSpec) *v1alpha1.EndpointPickerConfig {
	if service.ComponentType != v1alpha1.ComponentTypeEPP || service.EPPConfig == nil {
		return nil
	}
	return service.EPPConfig.Config
}

// pickerConfig is the author's text as a file, which says what it is.
func pickerConfig(dgd *v1alpha1.DynamoGraphDeployment, config *v1alpha1.EndpointPickerConfig) (*corev1.ConfigMap, error) {
	fields := map[string]any{}
	if err := json.Unmarshal(config.Raw, &fields); err != nil {
		return nil, err
	}
	file := map[string]any{"apiVersion": inferenceapi.ExperimentalGroup + "/v1alpha1", "kind": "EndpointPickerConfig"}
	maps.Copy(file, fields)
	text, err := yaml.Marshal(file)
	if err != nil {
		return nil, err
	}
	return &corev1.ConfigMap{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{
			Name: pickerConfigName(dgd.Name), Namespace: dgd.Namespace, Labels: mergeMaps(graphLabels(dgd.Name), managedBy()),
		},
		Data: map[string]string{pickerConfigKey: string(text)},
	}, nil
}

func (c *component) isPicker() bool { return c.spec.ComponentType == v1alpha1.ComponentTypeEPP }

// pickerVolumes are its configuration, and a place for what it fetches.
func (c *component) pickerVolumes() []corev1.Volume {
	if !c.isPicker() || c.spec.EPPConfig == nil {
		return nil
	}
	source := &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: pickerConfigName(c.graph)},
		Items:                []corev1.KeyToPath{{Key: pickerConfigKey, Path: pickerConfigKey}},
	}
	if ref := c.spec.EPPConfig.ConfigMapRef; ref != nil {
		source.LocalObjectReference, source.Items[0].Key, source.Optional = ref.LocalObjectReference, ref.Key, ref.Optional
	}
	return []corev1.Volume{
		{Name: pickerConfigVolume, VolumeSource: corev1.VolumeSource{ConfigMap: source}},
		{Name: pickerCacheVolume, VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
	}
}

func (c *component) pickerMounts() []corev1.VolumeMount {
	if !c.isPicker() || c.spec.EPPConfig == nil {
		return nil
	}
	return []corev1.VolumeMount{
		{Name: pickerConfigVolume, MountPath: pickerConfigDir, ReadOnly: true},
		{Name: pickerCacheVolume, MountPath: pickerCachePath},
	}
}

func (c *component) pickerAnnotations() map[string]string {
	inline := inlineConfig(c.spec)
	if inline == nil {
		return nil
	}
	return map[string]string{pickerConfigAnnotation: hashOf(inline)}
}
