package request

import (
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

// What the GPU operator's feature discovery says of a node.
const (
	labelGPUModel  = "nvidia.com/gpu.product"
	labelGPUMemory = "nvidia.com/gpu.memory"
	resourceGPU    = "nvidia.com/gpu"
)

// hardwareOf is what all nodes with GPUs have in common: the least number of
// GPUs and of memory, and the model if there is one alone.
func hardwareOf(nodes []corev1.Node) render.Hardware {
	var common render.Hardware
	first := true
	for _, node := range nodes {
		gpus := node.Status.Allocatable[resourceGPU]
		if gpus.Value() <= 0 {
			continue
		}
		memory, _ := strconv.ParseInt(node.Labels[labelGPUMemory], 10, 64) // 0 is not known
		this := render.Hardware{GPUsPerNode: gpus.Value(), Model: node.Labels[labelGPUModel], MemoryMiB: memory}
		if first {
			common, first = this, false
			continue
		}
		common.GPUsPerNode = min(common.GPUsPerNode, this.GPUsPerNode)
		common.MemoryMiB = min(common.MemoryMiB, this.MemoryMiB)
		if common.Model != this.Model {
			common.Model = ""
		}
	}
	return common
}
