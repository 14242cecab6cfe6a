package render

import (
	"maps"

	corev1 "k8s.io/api/core/v1"
)

// mergeByKey puts the user's items first and adds the defaults whose key the
// user has not used. A repeated key keeps the user's last item, since the API
// accepts a key once only.
func mergeByKey[T any, K comparable](user, defaults []T, key func(T) K) []T {
	var merged []T
	position := map[K]int{}
	for _, item := range user {
		k := key(item)
		if at, repeated := position[k]; repeated {
			merged[at] = item
			continue
		}
		position[k] = len(merged)
		merged = append(merged, item)
	}
	for _, item := range defaults {
		k := key(item)
		if _, taken := position[k]; taken {
			continue
		}
		position[k] = len(merged)
		merged = append(merged, item)
	}
	return merged
}

func volumeName(v corev1.Volume) string                 { return v.Name }
func mountPath(m corev1.VolumeMount) string             { return m.MountPath }
func pullSecret(ref corev1.LocalObjectReference) string { return ref.Name }
func portNumber(p corev1.ContainerPort) portAddress {
	return portAddress{p.ContainerPort, p.Protocol}
}

// portAddress is by what the API tells the ports of a container apart.
type portAddress struct {
	number   int32
	protocol corev1.Protocol
}

// mergePorts adds the default port, unless the user declares one of the same
// name or the same number.
func mergePorts(user []corev1.ContainerPort, standard *corev1.ContainerPort) []corev1.ContainerPort {
	ports := make([]corev1.ContainerPort, len(user))
	for i, p := range user {
		if p.Protocol == "" {
			p.Protocol = corev1.ProtocolTCP
		}
		if p.Name == "" && standard != nil && portNumber(p) == portNumber(*standard) {
			p.Name = standard.Name
		}
		ports[i] = p
	}
	if standard == nil {
		return mergeByKey(ports, nil, portNumber)
	}
	for _, p := range ports {
		if p.Name == standard.Name {
			return mergeByKey(ports, nil, portNumber)
		}
	}
	return mergeByKey(ports, []corev1.ContainerPort{*standard}, portNumber)
}

// mergeMaps returns a new map in which later layers win, nil when it is empty.
func mergeMaps(layers ...map[string]string) map[string]string {
	merged := map[string]string{}
	for _, layer := range layers {
		maps.Copy(merged, layer)
	}
	if len(merged) == 0 {
		return nil
	}
	return merged
}
