package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/certificate"
	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// trusted checks that all webhooks have one and the same authority.
func (i *installation) trusted(t *testing.T) error {
	t.Helper()
	bundles := i.bundles(t)
	for _, bundle := range bundles {
		if len(bundle) == 0 || !bytes.Equal(bundle, bundles[0]) {
			return errors.New("a webhook has no authority, or another one than the others")
		}
	}
	return nil
}

func (i *installation) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: i.namespace, Name: i.cfg.Server.Webhook.Certificates.SecretName}
	if err := adminClient(t).Get(context.Background(), key, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

func TestTheSecretIsTheOperatorsOwn(t *testing.T) {
	i := install(t, `dynamo-operator: {webhook: {certificateSecret: {name: own-cert}}}`)
	i.startReady(t)
	secret := i.secret(t)
	if len(secret.OwnerReferences) != 1 || secret.OwnerReferences[0].Name != i.cfg.Server.Webhook.Certificates.ServiceName {
		t.Errorf("owners %+v, want the webhook Service, so that an uninstall removes the key", secret.OwnerReferences)
	}
	if secret.Type != corev1.SecretTypeTLS || !bytes.Equal(secret.Data["ca.crt"], i.bundles(t)[0]) {
		t.Errorf("type %s, keys %d; want a TLS Secret whose ca.crt is trusted", secret.Type, len(secret.Data))
	}
}

func TestTheExpiryIsMeasured(t *testing.T) {
	i := install(t, `{}`)
	metrics := cluster.FreeAddress(t)
	i.startReady(t, func(cfg *config.OperatorConfiguration) {
		cfg.Server.Metrics = config.Metrics{BindAddress: metrics}
	})
	text, err := cluster.Fetch("http://" + metrics + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(i.secret(t).Data["tls.crt"], i.secret(t).Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("\ndynamo_operator_webhook_certificate_expiry_timestamp_seconds %s\n", strconv.FormatFloat(float64(pair.Leaf.NotAfter.Unix()), 'g', -1, 64))
	if !strings.Contains(text, want) {
		t.Errorf("the metrics lack %q", want)
	}
}

// TestAnUpgradeOrRollbackNeverLeavesTheWebhooksWithoutAuthority covers what
// Helm, GitOps tools and people do to the configurations.
func TestAnUpgradeOrRollbackNeverLeavesTheWebhooksWithoutAuthority(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	repaired := func(what string) {
		t.Helper()
		took := cluster.Eventually(t, what, func() error { return i.trusted(t) })
		t.Logf("%s: repaired within %s", what, took.Round(time.Millisecond))
		ns := cluster.Namespace(t, adminClient(t))
		refused(t, tryOut(t, object(t, ns, badGraph)), reason)
		if err := tryOut(t, object(t, ns, goodGraph)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	before := i.bundles(t)[0]

	i.upgrade(t)
	if err := i.trusted(t); err != nil {
		t.Errorf("an upgrade touches the authority: %v", err)
	}

	validating, mutating := i.configurations(t)
	for n := range validating.Webhooks {
		validating.Webhooks[n].ClientConfig.CABundle = nil
	}
	mutating.Webhooks[0].ClientConfig.CABundle = []byte("-----BEGIN CERTIFICATE-----\n")
	for _, wiped := range []client.Object{validating, mutating} {
		if err := adminClient(t).Update(context.Background(), wiped); err != nil && wiped == validating {
			t.Fatal(err)
		}
	}
	repaired("wiped by a client that replaces objects")

	for _, deleted := range []client.Object{validating, mutating} {
		if err := adminClient(t).Delete(context.Background(), deleted); err != nil {
			t.Fatal(err)
		}
	}
	i.upgrade(t)
	repaired("rolled back to a revision with webhooks")
	if !bytes.Equal(before, i.bundles(t)[0]) {
		t.Error("nothing of this is a reason for a new certificate")
	}
}

// TestAReleaseMayDropAWebhook: although the operator wrote into its entry.
func TestAReleaseMayDropAWebhook(t *testing.T) {
	i := install(t, `{}`)
	i.startReady(t)
	for _, o := range i.rendered.Objects {
		if o.Kind != "ValidatingWebhookConfiguration" {
			continue
		}
		u := i.prepared(t, o)
		u.Object["webhooks"] = u.Object["webhooks"].([]any)[:2]
		if err := adminClient(t).Apply(context.Background(), client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("helm")); err != nil {
			t.Fatal(err)
		}
	}
	if validating, _ := i.configurations(t); len(validating.Webhooks) != 2 {
		t.Errorf("%d webhooks are left, want 2", len(validating.Webhooks))
	}
}

// TestReplicasAgree starts several replicas at once: they race to create the
// Secret, and later to replace it.
func TestReplicasAgree(t *testing.T) {
	i := install(t, `{}`)
	var replicas []*replica
	for range 4 {
		replicas = append(replicas, i.start(t))
	}
	agree := func() error {
		leaf, err := tls.X509KeyPair(i.secret(t).Data["tls.crt"], i.secret(t).Data["tls.key"])
		if err != nil {
			return err
		}
		for _, r := range replicas {
			served, err := i.handshake(r.address, i.bundles(t)[0])
			if err != nil {
				return err
			}
			if !served.Equal(leaf.Leaf) {
				return fmt.Errorf("%s serves another certificate than the Secret's", r.address)
			}
		}
		return i.trusted(t)
	}
	for _, r := range replicas {
		cluster.Eventually(t, "the replica is ready", r.ready)
	}
	if err := agree(); err != nil {
		t.Errorf("ready, but: %v", err)
	}
	if err := adminClient(t).Delete(context.Background(), i.secret(t)); err != nil {
		t.Fatal(err)
	}
	cluster.Eventually(t, "a new Secret", func() error {
		list := &corev1.SecretList{}
		err := adminClient(t).List(context.Background(), list, client.InNamespace(i.namespace))
		if err == nil && len(list.Items) == 0 {
			err = errors.New("none yet")
		}
		return err
	})
	cluster.Eventually(t, "all replicas serve the new certificate", agree)
}

// handshake connects as the API server does and returns the certificate served.
func (i *installation) handshake(address string, bundle []byte) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(bundle)
	dialer := &tls.Dialer{
		NetDialer: &net.Dialer{Timeout: 5 * time.Second},
		Config:    &tls.Config{RootCAs: roots, ServerName: i.cfg.Server.Webhook.Certificates.DNSName()},
	}
	connection, err := dialer.DialContext(context.Background(), "tcp", address)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	return connection.(*tls.Conn).ConnectionState().PeerCertificates[0], nil
}

// TestRenewalLosesNoRequest lives through several renewals of a certificate
// that is valid for seconds, with two replicas and requests all the time: from
// the API server, and as new connections by a client that learns of a new
// authority a little late.
func TestRenewalLosesNoRequest(t *testing.T) {
	i := install(t, `{}`)
	brief := func(cfg *config.OperatorConfiguration) {
		cfg.Server.Webhook.Certificates.Validity.Duration = 15 * time.Second
	}
	replicas := []*replica{i.startReady(t, brief), i.startReady(t, brief)}
	ns := cluster.Namespace(t, adminClient(t))
	good, bad := object(t, ns, goodGraph), object(t, ns, badGraph)

	const renewals, patience, late = 3, 3 * time.Minute, 500 * time.Millisecond
	seen := map[string]bool{}
	var requests atomic.Int64
	knownAt, known := time.Now(), i.bundles(t)[0]
	for deadline := time.Now().Add(patience); len(seen) <= renewals; {
		if time.Now().After(deadline) {
			t.Fatalf("%d renewals in %s, want %d", len(seen)-1, patience, renewals)
		}
		// The authority known to the client is up to two such times old.
		freshAt, fresh := time.Now(), i.bundles(t)[0]
		for time.Since(freshAt) < late {
			for _, r := range replicas {
				served, err := i.handshake(r.address, known)
				if err != nil && time.Since(knownAt) > 4*late {
					// A busy machine made the client later than clients may be.
					known, knownAt = fresh, freshAt
					break
				}
				if err != nil {
					t.Fatalf("a new connection after %d renewals: %v", len(seen)-1, err)
				}
				seen[served.SerialNumber.String()] = true
			}
			if err := tryOut(t, good); err != nil {
				t.Fatalf("a request after %d renewals: %v", len(seen)-1, err)
			}
			refused(t, tryOut(t, bad), reason)
			requests.Add(4)
		}
		known, knownAt = fresh, freshAt
	}
	t.Logf("%d renewals, %d requests and connections, none lost", len(seen)-1, requests.Load())
}

// byTheManager is an operator beside the namespace that it serves, whose
// certificate the manager makes with an administrator's rights.
const byTheManager = `dynamo-operator: {namespaceRestriction: {enabled: true, targetNamespace: %s}, webhook: {enabled: true, certificateSecret: {wheelhouse: true}}}`

// authority is what the manager reads from the rendered objects.
func (i *installation) authority(validity time.Duration) rollout.Authority {
	certificates := i.cfg.Server.Webhook.Certificates
	a := rollout.Authority{
		Release: fleet.Key{Namespace: i.namespace}, Namespace: i.namespace, Secret: certificates.SecretName, Service: certificates.ServiceName, Validity: validity,
	}
	for _, object := range i.rendered.Objects {
		if strings.HasSuffix(object.Kind, "WebhookConfiguration") {
			a.Configurations = append(a.Configurations, object)
		}
	}
	return a
}

// keep does what an apply does for the certificate.
func (i *installation) keep(t *testing.T, validity time.Duration) certificate.Keeper {
	t.Helper()
	connection, err := session.New(shared.Config)
	if err != nil {
		t.Fatal(err)
	}
	keeper := certificate.New(connection)
	if err := keeper.KeepAuthority(context.Background(), i.authority(validity)); err != nil {
		t.Fatal(err)
	}
	return keeper
}

// TestTheManagersRenewalLosesNoRequest lives through renewals, of which one is
// asked for by deleting the Secret, with requests all the time.
func TestTheManagersRenewalLosesNoRequest(t *testing.T) {
	tenant := cluster.Namespace(t, adminClient(t))
	i := install(t, fmt.Sprintf(byTheManager, tenant))
	brief := i.authority(20 * time.Second)
	keeper := i.keep(t, brief.Validity)
	if due, err := keeper.AuthorityDue(context.Background(), brief); err != nil || due != "" {
		t.Errorf("right after it was made, the certificate is due: %q, %v", due, err)
	}
	i.startReady(t)
	good, bad := object(t, tenant, goodGraph), object(t, tenant, badGraph)
	ask := func() {
		t.Helper()
		if err := tryOut(t, good); err != nil {
			t.Fatalf("a request: %v", err)
		}
		refused(t, tryOut(t, bad), reason)
	}
	served := map[string]bool{}
	for began := time.Now(); len(served) < 4; {
		if time.Since(began) > 3*time.Minute {
			t.Fatalf("%d certificates in %s, want 4", len(served), time.Since(began))
		}
		if len(served) == 2 && len(i.secrets(t)) == 1 {
			if err := adminClient(t).Delete(context.Background(), i.secret(t)); err != nil {
				t.Fatal(err)
			}
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			if err := keeper.KeepAuthority(context.Background(), brief); err != nil {
				t.Error(err)
			}
		}()
		for running := true; running; {
			select {
			case <-done:
				running = false
			default:
			}
			ask()
		}
		served[string(i.secret(t).Data["tls.crt"])] = true
	}
}

// secrets are those of the webhooks' name, of which there may be none.
func (i *installation) secrets(t *testing.T) []corev1.Secret {
	t.Helper()
	list := &corev1.SecretList{}
	if err := adminClient(t).List(context.Background(), list, client.InNamespace(i.namespace)); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// TestAReplicaGoesWithoutARequestLost stops one of two replicas while requests
// come in, as a rolling update does.
func TestAReplicaGoesWithoutARequestLost(t *testing.T) {
	i := install(t, `dynamo-operator: {webhook: {failurePolicy: Fail}}`)
	first, second := i.startReady(t), i.startReady(t)
	good := object(t, cluster.Namespace(t, adminClient(t)), goodGraph)
	done := make(chan error, 1)
	go func() { done <- first.stop() }()
	// The Service learns of it a moment later.
	learned := time.AfterFunc(time.Second, func() { i.front.remove(first.address) })
	defer learned.Stop()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			running = false
		default:
		}
		if err := tryOut(t, good); err != nil {
			t.Fatalf("a request while a replica goes: %v", err)
		}
	}
	if err := second.ready(); err != nil {
		t.Error(err)
	}
}

func TestADamagedSecretIsReplaced(t *testing.T) {
	i := install(t, `{}`)
	certificates := i.cfg.Server.Webhook.Certificates
	secret := &corev1.Secret{Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"tls.crt": []byte("none"), "other": []byte("kept")}}
	secret.Namespace, secret.Name = i.namespace, certificates.SecretName
	if err := adminClient(t).Create(context.Background(), secret); err != nil {
		t.Fatal(err)
	}
	i.startReady(t)
	now := i.secret(t)
	if _, err := tls.X509KeyPair(now.Data["tls.crt"], now.Data["tls.key"]); err != nil || string(now.Data["other"]) != "kept" {
		t.Errorf("the Secret holds no certificate (%v), or lost what is not ours", err)
	}
	if err := tryOut(t, object(t, cluster.Namespace(t, adminClient(t)), goodGraph)); err != nil {
		t.Error(err)
	}
}

// TestMetricsHaveTheSameCertificate: a scraper verifies who answers before it
// shows its token.
func TestMetricsHaveTheSameCertificate(t *testing.T) {
	i := install(t, `{}`)
	metrics := cluster.FreeAddress(t)
	i.startReady(t, func(cfg *config.OperatorConfiguration) {
		cfg.Server.Metrics = config.Metrics{BindAddress: metrics, Secure: true}
	})
	served, err := i.handshake(metrics, i.secret(t).Data["ca.crt"])
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(i.secret(t).Data["tls.crt"], i.secret(t).Data["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	if !served.Equal(pair.Leaf) {
		t.Errorf("metrics are served as %v, webhooks as %v", served.DNSNames, pair.Leaf.DNSNames)
	}
}
