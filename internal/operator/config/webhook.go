package config

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Sources of the webhooks' certificate.
const (
	CertificatesSelf   = "self"
	CertificatesSecret = "secret"
	CertificatesFiles  = "files"
)

// shortestValidity leaves time for a renewal and for mending one that fails.
const shortestValidity = time.Hour

// Webhook is the listener of the admission webhooks.
type Webhook struct {
	// AuthorizeAuthors: the API server is asked whether the author of a graph
	// may do himself what the graph makes the operator do for him.
	AuthorizeAuthors bool `json:"authorizeAuthors"`

	BindAddress  string       `json:"bindAddress"`
	Certificates Certificates `json:"certificates"`
}

// Certificates says where the webhooks' serving certificate comes from.
type Certificates struct {
	Source                  string          `json:"source"`
	Directory               string          `json:"directory"`
	Namespace               string          `json:"namespace"`
	SecretName              string          `json:"secretName"`
	ServiceName             string          `json:"serviceName"`
	ValidatingConfiguration string          `json:"validatingConfiguration"`
	MutatingConfiguration   string          `json:"mutatingConfiguration"`
	Validity                metav1.Duration `json:"validity"`
}

// DNSName is what the API server calls the webhooks' Service.
func (c Certificates) DNSName() string { return c.ServiceName + "." + c.Namespace + ".svc" }

// Enabled reports whether webhooks are served.
func (w Webhook) Enabled() bool { return w.BindAddress != Off }

// SelfManaged reports whether the operator looks after the certificate of
// webhooks that it serves.
func (w Webhook) SelfManaged() bool {
	return w.Enabled() && w.Certificates.Source == CertificatesSelf
}

// ReadsSecret reports whether the operator reads the certificate of webhooks that
// it serves in a Secret.
func (w Webhook) ReadsSecret() bool {
	return w.SelfManaged() || w.Enabled() && w.Certificates.Source == CertificatesSecret
}

func defaultWebhook() Webhook {
	return Webhook{
		BindAddress: Off,
		Certificates: Certificates{
			Source:     CertificatesSelf,
			Directory:  "/tmp/k8s-webhook-server/serving-certs",
			SecretName: "webhook-server-cert",
			Validity:   metav1.Duration{Duration: 365 * 24 * time.Hour},
		},
	}
}

func (w Webhook) validate(path *field.Path) field.ErrorList {
	errs := validateAddress(path.Child("bindAddress"), w.BindAddress)
	certificates, at := w.Certificates, path.Child("certificates")
	if w.AuthorizeAuthors && !w.Enabled() {
		errs = append(errs, field.Invalid(path.Child("authorizeAuthors"), true, "needs the webhooks, which are off: the author of a graph is known at admission only"))
	}
	errs = append(errs, oneOf(at.Child("source"), certificates.Source, CertificatesSelf, CertificatesSecret, CertificatesFiles)...)
	switch {
	case w.ReadsSecret():
		errs = append(errs, certificates.validateSecret(at)...)
		if w.SelfManaged() {
			errs = append(errs, certificates.validateSelf(at)...)
		}
	case w.Enabled() && certificates.Directory == "":
		errs = append(errs, field.Required(at.Child("directory"), "the folder of tls.crt and tls.key"))
	}
	return errs
}

func (c Certificates) validateSecret(path *field.Path) field.ErrorList {
	errs := matches(path.Child("namespace"), c.Namespace, validation.IsDNS1123Label)
	errs = append(errs, matches(path.Child("secretName"), c.SecretName, validation.IsDNS1123Subdomain)...)
	return append(errs, matches(path.Child("serviceName"), c.ServiceName, validation.IsDNS1035Label)...)
}

func (c Certificates) validateSelf(path *field.Path) field.ErrorList {
	errs := matches(path.Child("validatingConfiguration"), c.ValidatingConfiguration, validation.IsDNS1123Subdomain)
	errs = append(errs, matches(path.Child("mutatingConfiguration"), c.MutatingConfiguration, validation.IsDNS1123Subdomain)...)
	if c.Validity.Duration < shortestValidity {
		errs = append(errs, field.Invalid(path.Child("validity"), c.Validity.Duration.String(), "must be at least "+shortestValidity.String()))
	}
	return errs
}
