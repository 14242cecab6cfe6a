// Package certs makes serving certificates for admission webhooks and decides
// when to renew them. It is pure but for the clock's time and the randomness
// that it is given. The operator and the manager share it.
//
// Every renewal is a change of authority: a new one signs a new certificate,
// and its key is forgotten at once. Nothing is lost in a change if it has three
// steps. First the new authority is trusted next to the old one; then, when API
// servers know that, the new certificate is served; an hour later the old
// authority is no longer needed.
package certs

import "time"

// Settle is how long API servers are given to learn of a new authority before
// they meet its certificate.
const Settle = 3 * time.Second
