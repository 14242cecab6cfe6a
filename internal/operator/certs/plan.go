package certs

import (
	"fmt"
	"time"
)

// plan is what to do about the Secret.
type plan struct {
	// use is the material to serve and to have trusted.
	use *Material
	// why is the reason to write use to the Secret; empty when it holds it already.
	why string
	// again is when to plan anew, unless the Secret changes before.
	again time.Time
}

// next decides. stored is what the Secret holds, nil if that cannot be used,
// and then problem says why. served is what this process used until now, nil
// after a start; it stays trusted if nothing is stored.
func next(stored *Material, problem error, served *Material, dnsName string, now time.Time, validity time.Duration) (plan, error) {
	if stored == nil {
		return renewed(served, problem.Error(), dnsName, now, validity)
	}
	if err := stored.servesFor(dnsName, now); err != nil {
		return renewed(stored, fmt.Sprintf("the stored certificate cannot be used: %v", err), dnsName, now, validity)
	}
	if !now.Before(stored.renewAt()) {
		return renewed(stored, "the certificate expires at "+stored.expiry().Format(time.RFC3339), dnsName, now, validity)
	}
	if len(stored.authorities) > 1 && !now.Before(stored.dropAt()) {
		alone := stored.withoutPast()
		return plan{use: alone, why: "the authority before the present one is no longer needed", again: alone.due()}, nil
	}
	return plan{use: stored, again: stored.due()}, nil
}

func renewed(previous *Material, why, dnsName string, now time.Time, validity time.Duration) (plan, error) {
	fresh, err := issue(dnsName, now, validity, previous)
	if err != nil {
		return plan{}, err
	}
	return plan{use: fresh, why: why, again: fresh.due()}, nil
}

// due is when something must be done about the material.
func (m *Material) due() time.Time {
	if len(m.authorities) > 1 && m.dropAt().Before(m.renewAt()) {
		return m.dropAt()
	}
	return m.renewAt()
}
