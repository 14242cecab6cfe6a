package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// Certificate is what the API server trusts when it calls the webhooks of one
// configuration: public data, read from the configuration itself. Where the
// operator issues its certificate, authority and certificate end together.
type Certificate struct {
	// Configuration is KIND/NAME.
	Configuration string    `json:"configuration"`
	Begins        time.Time `json:"begins,omitzero"`
	// Expires is when nothing that is trusted is valid any more; zero if nothing
	// is trusted.
	Expires time.Time `json:"expires,omitzero"`
	// renewal is who should have renewed it, and what to do; the operator if empty.
	renewal string
}

// lateRenewal is how long before its end a certificate should have been renewed.
const lateRenewal = 30 * 24 * time.Hour

// Warning says what is wrong with a certificate; empty if nothing is. One that
// lives for less than four months is late in the last quarter of its life.
func (c Certificate) Warning(now time.Time) string {
	left, late := c.Expires.Sub(now), min(lateRenewal, c.Expires.Sub(c.Begins)/4)
	switch {
	case c.Expires.IsZero():
		return fmt.Sprintf("%s trusts no certificate yet, so its webhooks cannot be called", c.Configuration)
	case left <= 0:
		return fmt.Sprintf("the certificate of %s expired at %s; its webhooks cannot be called", c.Configuration, c.Expires.UTC().Format(time.DateTime))
	case left < late:
		return fmt.Sprintf("the certificate of %s ends in %d days, at %s, and should have been renewed; %s",
			c.Configuration, int(left.Hours()/24), c.Expires.UTC().Format(time.DateTime), cmp.Or(c.renewal, "look at the log of the operator"))
	default:
		return ""
	}
}

// Certificate returns the one that ends first; nil if the release has none.
func (r ReleaseStatus) Certificate() *Certificate {
	if len(r.Certificates) == 0 {
		return nil
	}
	first := slices.MinFunc(r.Certificates, func(a, b Certificate) int { return a.Expires.Compare(b.Expires) })
	return &first
}

// webhooks lists the webhook configurations among objects.
func webhooks(objects []chart.Object) []chart.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o chart.Object) bool {
		return o.Kind != "ValidatingWebhookConfiguration" && o.Kind != "MutatingWebhookConfiguration"
	})
}
