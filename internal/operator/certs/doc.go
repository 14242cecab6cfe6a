// Package certs makes, keeps and renews the serving certificate of the
// operator's admission webhooks, and tells the API server to trust it.
//
// Every renewal is a change of authority: a new one signs a new certificate,
// and its key is forgotten at once. Nothing is lost in a change, because it
// has three steps. First the new authority is trusted next to the old one;
// then, when API servers know that, the new certificate is served; an hour
// later the old authority is dropped.
//
// The certificate is kept in one Secret, which the operator creates itself. All
// replicas run this code and need no leader: one of them wins the write to the
// Secret, and the others use what it wrote. Deleting the Secret is how a person
// asks for a new certificate.
package certs
