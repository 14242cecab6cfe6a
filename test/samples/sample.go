package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// sample is one file: its objects as the user wrote them, its graphs, and its
// requests for graphs.
type sample struct {
	file     string
	objects  []*unstructured.Unstructured
	graphs   []v1alpha1.DynamoGraphDeployment
	requests []v1alpha1.DynamoGraphDeploymentRequest
}

// name is the file's name without its extension.
func (s *sample) name() string {
	return strings.TrimSuffix(filepath.Base(s.file), filepath.Ext(s.file))
}

// namespace is where the sample is tried: short, as users have them, since it is a
// part of what runs there is called.
func (s *sample) namespace() string {
	return fmt.Sprintf("sample-%08x", crc32.ChecksumIEEE([]byte(s.name())))
}

// substituted is a sample whose guide has its users put their namespace and image in.
func (s *sample) substituted(text []byte) []byte {
	return []byte(strings.NewReplacer("${K8S_NAMESPACE}", s.namespace(), "${DYNAMO_IMAGE}", "my-registry/dynamo:my-tag").Replace(string(text)))
}

// readSamples returns the files of dir that hold at least one graph or request, by
// name.
func readSamples(dir string) ([]*sample, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var samples []*sample
	for _, file := range files {
		s, err := readSample(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if len(s.graphs)+len(s.requests) > 0 {
			samples = append(samples, s)
		}
	}
	if len(samples) == 0 {
		return nil, fmt.Errorf("%s holds no .yaml file with a DynamoGraphDeployment or DynamoGraphDeploymentRequest", dir)
	}
	return samples, nil
}

func readSample(file string) (*sample, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &sample{file: file}
	decoder := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader(s.substituted(data)), 4096)
	for {
		object := &unstructured.Unstructured{}
		if err := decoder.Decode(&object.Object); errors.Is(err, io.EOF) {
			return s, nil
		} else if err != nil {
			return nil, err
		}
		if object.GetKind() == "" {
			continue // a values file, or an empty document
		}
		s.objects = append(s.objects, object)
		switch object.GetKind() {
		case v1alpha1.KindGraphDeployment:
			var graph v1alpha1.DynamoGraphDeployment
			if err := stored(object, &graph); err != nil {
				return nil, err
			}
			s.graphs = append(s.graphs, graph)
		case v1alpha1.KindGraphDeploymentRequest:
			var request v1alpha1.DynamoGraphDeploymentRequest
			if err := stored(object, &request); err != nil {
				return nil, err
			}
			s.requests = append(s.requests, request)
		}
	}
}

// stored reads an object in the version in which it is stored.
func stored(object *unstructured.Unstructured, into any) error {
	data, err := object.MarshalJSON()
	if err != nil {
		return err
	}
	if data, err = conversion.Object(data, v1alpha1.GroupVersion.String()); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// needs is what a sample refers to but does not contain: what its users have
// in their namespace or registry beforehand.
type needs struct {
	images     map[string]bool
	pickers    map[string]bool // images of endpoint pickers
	ranks      map[string]bool // images in which mpirun starts ranks on several nodes
	claims     map[string]bool
	secrets    map[string][]string // name -> keys
	configMaps map[string][]string
}

func (s *sample) needs() needs {
	n := needs{images: map[string]bool{}, pickers: map[string]bool{}, ranks: map[string]bool{}, claims: map[string]bool{}, secrets: map[string][]string{}, configMaps: map[string][]string{}}
	for _, graph := range s.graphs {
		for _, claim := range graph.Spec.PVCs {
			if !claim.Create {
				n.claims[claim.Name] = true
			}
		}
		n.addEnv(graph.Spec.Envs)
		for _, service := range graph.Spec.Services {
			n.addService(graph.Spec.BackendFramework, service)
		}
	}
	for _, request := range s.requests {
		n.images[render.ProfilerImage(&request.Spec, config.Default())] = true
		if claim := render.ModelCacheClaim(&request); claim != "" {
			n.claims[claim] = true
		}
	}
	for _, object := range s.objects {
		switch object.GetKind() {
		case "PersistentVolumeClaim":
			delete(n.claims, object.GetName())
		case "Secret":
			delete(n.secrets, object.GetName())
		case "ConfigMap":
			delete(n.configMaps, object.GetName())
		}
	}
	return n
}

func (n needs) addService(framework v1alpha1.BackendFramework, service *v1alpha1.DynamoComponentDeploymentSharedSpec) {
	if service == nil {
		return
	}
	if service.EnvFromSecret != "" {
		n.addSecret(service.EnvFromSecret, "")
	}
	n.addEnv(service.Envs)
	if service.ExtraPodSpec == nil {
		return
	}
	if main := service.ExtraPodSpec.MainContainer; main != nil {
		switch {
		case main.Image == "":
		case service.ComponentType == v1alpha1.ComponentTypeEPP:
			n.pickers[main.Image] = true
		case render.MeetsBySSH(framework, service):
			n.ranks[main.Image] = true
		default:
			n.images[main.Image] = true
		}
		n.addContainer(*main)
	}
	if service.ExtraPodSpec.PodSpec == nil {
		return
	}
	for _, container := range slices.Concat(service.ExtraPodSpec.InitContainers, service.ExtraPodSpec.Containers) {
		if container.Image != "" {
			n.images[container.Image] = true
		}
		n.addContainer(container)
	}
	for _, volume := range service.ExtraPodSpec.Volumes {
		switch {
		case volume.PersistentVolumeClaim != nil:
			n.claims[volume.PersistentVolumeClaim.ClaimName] = true
		case volume.ConfigMap != nil:
			n.configMaps[volume.ConfigMap.Name] = append(n.configMaps[volume.ConfigMap.Name], keysOf(volume.ConfigMap.Items)...)
		case volume.Secret != nil:
			n.secrets[volume.Secret.SecretName] = append(n.secrets[volume.Secret.SecretName], keysOf(volume.Secret.Items)...)
		}
	}
}

func (n needs) addContainer(container corev1.Container) {
	n.addEnv(container.Env)
	for _, from := range container.EnvFrom {
		if from.SecretRef != nil {
			n.addSecret(from.SecretRef.Name, "")
		}
		if from.ConfigMapRef != nil {
			n.configMaps[from.ConfigMapRef.Name] = append([]string(nil), n.configMaps[from.ConfigMapRef.Name]...)
		}
	}
}

func (n needs) addEnv(envs []corev1.EnvVar) {
	for _, env := range envs {
		if env.ValueFrom == nil {
			continue
		}
		if ref := env.ValueFrom.SecretKeyRef; ref != nil {
			n.addSecret(ref.Name, ref.Key)
		}
		if ref := env.ValueFrom.ConfigMapKeyRef; ref != nil {
			n.configMaps[ref.Name] = append(n.configMaps[ref.Name], ref.Key)
		}
	}
}

func (n needs) addSecret(name, key string) {
	keys := n.secrets[name]
	if key != "" && !slices.Contains(keys, key) {
		keys = append(keys, key)
	}
	n.secrets[name] = keys
}

func keysOf(items []corev1.KeyToPath) []string {
	var keys []string
	for _, item := range items {
		keys = append(keys, item.Key)
	}
	return keys
}

// String lists the stand-ins that the runner creates, for its table.
func (n needs) String() string {
	var parts []string
	for kind, names := range map[string][]string{
		"secret": slices.Collect(maps.Keys(n.secrets)),
		"config": slices.Collect(maps.Keys(n.configMaps)),
		"claim":  slices.Collect(maps.Keys(n.claims)),
	} {
		for _, name := range names {
			parts = append(parts, kind+"/"+name)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}
