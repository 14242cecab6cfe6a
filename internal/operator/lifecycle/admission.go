package lifecycle

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Admission is what the webhooks ask of a kind besides Validate. What is nil is
// not asked.
type Admission struct {
	// Refuse finds what is wrong with who writes, or with what was there before.
	Refuse func(w Writing) field.ErrorList
	// Warn tells of an object that is not refused what the cluster lacks for it.
	Warn func(w Writing) []string
	// Needs are the rights that the author must have, where the configuration
	// says that authors are asked about. The operator itself is not.
	Needs func(w Writing) []validate.Right
}

// Writing is an object that somebody wants to write.
type Writing struct {
	// Old is nil for a new object.
	Old, Object client.Object
	// Author is the name by which the API server knows who writes.
	Author string
	// ByOperator says whether that is the operator.
	ByOperator bool

	Config  *config.OperatorConfiguration
	Cluster render.Capabilities
}

// ByAccount reports whether a ServiceAccount of the object's namespace writes.
// Only whole names count; anybody can make an account whose name ends the same.
func (w Writing) ByAccount(name string) bool {
	return w.Author == ServiceAccountUser(w.Object.GetNamespace(), name)
}

// ServiceAccountUser is the name by which the API server knows a ServiceAccount.
func ServiceAccountUser(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}
