package config

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Platform names what belongs to the platform in namespaces that graphs may
// share with it. No graph may use it.
type Platform struct {
	ServiceAccounts []string `json:"serviceAccounts"`
	Secrets         []string `json:"secrets"`
}

// Secrets whose names begin so are records of releases, of Helm and of the
// manager: they hold all values of a platform.
var recordPrefixes = []string{"sh.helm.release.v1.", "wheelhouse-"}

// OwnsServiceAccount reports whether a ServiceAccount of this name is the platform's.
func (p Platform) OwnsServiceAccount(name string) bool {
	return slices.Contains(p.ServiceAccounts, name)
}

// OwnsSecret reports whether a Secret of this name is the platform's or Helm's.
func (p Platform) OwnsSecret(name string) bool {
	return slices.Contains(p.Secrets, name) ||
		slices.ContainsFunc(recordPrefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

func (p Platform) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, name := range p.ServiceAccounts {
		errs = append(errs, matches(path.Child("serviceAccounts").Index(i), name, validation.IsDNS1123Subdomain)...)
	}
	for i, name := range p.Secrets {
		errs = append(errs, matches(path.Child("secrets").Index(i), name, validation.IsDNS1123Subdomain)...)
	}
	return errs
}
