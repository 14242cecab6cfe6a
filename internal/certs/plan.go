package certs

import (
	"fmt"
	"time"
)

// Plan is what to do about the Secret.
type Plan struct {
	// Use is the material to serve and to have trusted.
	Use *Material
	// Why is the reason to write Use to the Secret; empty when it holds it already.
	Why string
	// Again is when to plan anew, unless the Secret changes before.
	Again time.Time
}

// Next decides. stored is what the Secret holds, nil if that cannot be used,
// and then problem says why. before is what clients have been told to trust, or
// what was served until now; nil if nothing. It stays trusted if nothing is stored.
func Next(stored *Material, problem error, before *Material, dnsName string, now time.Time, validity time.Duration) (Plan, error) {
	if stored == nil {
		return renewed(before, problem.Error(), dnsName, now, validity)
	}
	if err := stored.servesFor(dnsName, now); err != nil {
		return renewed(stored, fmt.Sprintf("the stored certificate cannot be used: %v", err), dnsName, now, validity)
	}
	if !now.Before(stored.renewAt()) {
		return renewed(stored, "the certificate expires at "+stored.Expiry().Format(time.RFC3339), dnsName, now, validity)
	}
	if len(stored.authorities) > 1 && !now.Before(stored.dropAt()) {
		alone := stored.withoutPast()
		return Plan{Use: alone, Why: "the authority before the present one is no longer needed", Again: alone.due()}, nil
	}
	return Plan{Use: stored, Again: stored.due()}, nil
}

func renewed(previous *Material, why, dnsName string, now time.Time, validity time.Duration) (Plan, error) {
	fresh, err := Issue(dnsName, now, validity, previous)
	if err != nil {
		return Plan{}, err
	}
	return Plan{Use: fresh, Why: why, Again: fresh.due()}, nil
}

// due is when something must be done about the material.
func (m *Material) due() time.Time {
	if len(m.authorities) > 1 && m.dropAt().Before(m.renewAt()) {
		return m.dropAt()
	}
	return m.renewAt()
}
