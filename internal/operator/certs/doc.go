// Package certs keeps the serving certificate of the operator's admission
// webhooks: it serves what is in the Secret, and, for a cluster-wide operator,
// makes and renews that and tells the API server to trust it, as
// internal/certs decides.
//
// The operator creates the Secret itself. All replicas run this code and need no
// leader: one of them wins the write to the Secret, and the others use what it
// wrote. Deleting the Secret is how a person asks for a new certificate.
//
// A restricted operator has no right on webhook configurations. Whoever installs
// it writes Secret and authority, and it only follows the Secret.
package certs
