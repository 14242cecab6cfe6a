package doctor

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// hook is a configuration of webhooks that see our kinds, by one Service.
type hook struct {
	Place
	service fleet.Key
	bundle  []byte
	// secret is where the certificate is, if the configuration says so.
	secret string
	// fails says that writes are refused while nobody answers.
	fails bool
}

// hooks are the configurations that name a Service; of each, the first of its webhooks
// stands for those that trust the same.
func (s *Snapshot) hooks() (out []hook) {
	add := func(place Place, secret string, rules []admissionv1.RuleWithOperations, client admissionv1.WebhookClientConfig, policy *admissionv1.FailurePolicyType) {
		if client.Service == nil || !ours(rules) {
			return
		}
		h := hook{place, fleet.Key{Namespace: client.Service.Namespace, Name: client.Service.Name}, client.CABundle, secret, ptr.Deref(policy, admissionv1.Fail) == admissionv1.Fail}
		same := func(other hook) bool {
			return other.Place == h.Place && other.service == h.service && string(other.bundle) == string(h.bundle)
		}
		if !slices.ContainsFunc(out, same) {
			out = append(out, h)
		}
	}
	for i := range s.Validating {
		for _, w := range s.Validating[i].Webhooks {
			add(at("ValidatingWebhookConfiguration", &s.Validating[i]), s.Validating[i].Annotations[marks.Certificate], w.Rules, w.ClientConfig, w.FailurePolicy)
		}
	}
	for i := range s.Mutating {
		for _, w := range s.Mutating[i].Webhooks {
			add(at("MutatingWebhookConfiguration", &s.Mutating[i]), s.Mutating[i].Annotations[marks.Certificate], w.Rules, w.ClientConfig, w.FailurePolicy)
		}
	}
	return slices.DeleteFunc(out, func(h hook) bool { return !s.looked(h.service.Namespace) })
}

// serves reports whether a certificate may be the one that answers the webhooks.
func (h hook) serves(c Certificate) bool {
	return h.service.Namespace == c.Secret.Namespace && (h.secret == "" || h.secret == c.Secret.Name)
}

// group is that of our kinds.
const group = "nvidia.com"

func ours(rules []admissionv1.RuleWithOperations) bool {
	return slices.ContainsFunc(rules, func(r admissionv1.RuleWithOperations) bool { return slices.Contains(r.APIGroups, group) })
}

// certificatesIn are those in a bundle; what is none is left out.
func certificatesIn(text []byte) (out []*x509.Certificate) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			out = append(out, c)
		}
	}
	return out
}

var certificateExpired = Check{
	ID:      "certificate-expired",
	Follows: true,
	Says:    "the webhooks' certificate has expired, so the API server does not call them",
	Find: func(s *Snapshot) (out []Finding) {
		hooks := s.hooks()
		for _, c := range s.Certificates {
			leaf := certificatesIn(c.PEM)
			if len(leaf) == 0 || s.Now.Before(leaf[0].NotAfter) {
				continue
			}
			f := Finding{
				At: Place{Kind: "Secret", Namespace: c.Secret.Namespace, Name: c.Secret.Name}, Seen: "tls.crt expired at " + leaf[0].NotAfter.UTC().Format(time.DateTime),
				Next: kubectl(c.Secret.Namespace, "get", "secret", c.Secret.Name),
			}
			for _, h := range hooks {
				if h.serves(c) {
					f.breaks = append(f.breaks, h.Place)
				}
			}
			out = append(out, f)
		}
		for _, h := range hooks {
			trusted := certificatesIn(h.bundle)
			if len(trusted) == 0 || slices.ContainsFunc(trusted, func(c *x509.Certificate) bool { return s.Now.Before(c.NotAfter) }) {
				continue
			}
			last := slices.MaxFunc(trusted, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) })
			out = append(out, Finding{
				At: h.Place, Says: "the authority that the API server trusts for the webhooks has expired, so it does not call them",
				Seen: "caBundle expired at " + last.NotAfter.UTC().Format(time.DateTime) + h.consequence(), Next: h.show(),
			})
		}
		return out
	},
}

func (h hook) consequence() string {
	if h.fails {
		return "; writes of graphs are refused meanwhile"
	}
	return ""
}

func (h hook) show() Command { return kubectl("", "get", h.Kind, h.Name, "-o", "yaml") }

var certificateWrong = Check{
	ID:    "certificate-wrong",
	Says:  "the API server does not trust the webhooks' certificate",
	Needs: []Fact{Webhooks},
	Find: func(s *Snapshot) (out []Finding) {
		for _, h := range s.hooks() {
			if reason := s.distrust(h); reason != "" {
				out = append(out, Finding{At: h.Place, Seen: reason + h.consequence(), Next: h.show()})
			}
		}
		return out
	},
}

// distrust is why the API server does not trust who answers a webhook; empty if it
// does, or if the certificate is not known.
func (s *Snapshot) distrust(h hook) string {
	trusted := certificatesIn(h.bundle)
	if len(trusted) == 0 {
		return "its caBundle holds no certificate"
	}
	pool := x509.NewCertPool()
	for _, c := range trusted {
		pool.AddCert(c)
	}
	reason := ""
	for _, c := range s.Certificates {
		chain := certificatesIn(c.PEM)
		if !h.serves(c) || len(chain) == 0 {
			continue
		}
		between := x509.NewCertPool()
		for _, more := range chain[1:] {
			between.AddCert(more)
		}
		name := h.service.Name + "." + h.service.Namespace + ".svc"
		// That it has expired is another finding.
		options := x509.VerifyOptions{Roots: pool, Intermediates: between, DNSName: name, CurrentTime: within(chain[0])}
		_, err := chain[0].Verify(options)
		if err == nil {
			return ""
		}
		reason = fmt.Sprintf("its caBundle does not vouch for tls.crt of Secret %s/%s: %v", c.Secret.Namespace, c.Secret.Name, err)
	}
	return reason
}

// within is a moment at which a certificate is valid.
func within(c *x509.Certificate) time.Time {
	return c.NotBefore.Add(c.NotAfter.Sub(c.NotBefore) / 2)
}

var webhookUnanswered = Check{
	ID:      "webhook-unanswered",
	Follows: true,
	Says:    "nobody answers the webhooks",
	Needs:   []Fact{Webhooks},
	Find: func(s *Snapshot) (out []Finding) {
		known := map[fleet.Key]bool{}
		for _, h := range s.hooks() {
			namespace := h.service.Namespace
			if known[h.service] || !s.knows(Services, namespace) || !s.knows(Endpoints, namespace) {
				continue
			}
			known[h.service] = true
			place := Place{Kind: "Service", Namespace: namespace, Name: h.service.Name}
			f := Finding{At: place, Seen: "no pod behind it is ready" + h.consequence(), Next: kubectl(namespace, "get", "endpointslices", "-l", "kubernetes.io/service-name="+h.service.Name)}
			exists := slices.ContainsFunc(s.Services, func(service corev1.Service) bool { return at("Service", &service) == place })
			switch {
			case !exists:
				f.Seen = fmt.Sprintf("%s names it, and it does not exist%s", h.Place, h.consequence())
				f.Next = kubectl(namespace, "get", "services")
			case s.answering(place) > 0:
				continue
			}
			out = append(out, f)
		}
		return out
	},
}
