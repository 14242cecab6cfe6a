package manager

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"
	"sigs.k8s.io/controller-runtime/pkg/healthz"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/scope"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/webhook"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// addWebhooks serves the webhooks in every replica, and lets a replica be ready
// only when it can answer: API servers refuse what nobody answers for.
func addWebhooks(ctx context.Context, mgr ctrl.Manager, cfg *config.OperatorConfiguration, served scope.Scope, cluster func() render.Capabilities, shared *sharedCertificate) error {
	serves, err := answersFor(ctx, mgr, cfg, served)
	if err != nil {
		return err
	}
	certificate, certificateReady, err := servingCertificate(mgr, cfg.Server.Webhook)
	if err != nil {
		return err
	}
	shared.set(certificate)
	server, err := webhook.NewServer(cfg.Server.Webhook.BindAddress, certificate, webhook.Options{
		Kinds:        kinds.All(),
		Scheme:       mgr.GetScheme(),
		Serves:       serves,
		OperatorUser: lifecycle.ServiceAccountUser(os.Getenv("POD_NAMESPACE"), os.Getenv("POD_SERVICE_ACCOUNT")),
		Version:      version.Version,
		Cluster:      cluster,
		Config:       cfg,
		Authors:      authors(mgr, cfg),
	})
	if err != nil {
		return err
	}
	if err := mgr.Add(server); err != nil {
		return fmt.Errorf("add the server: %w", err)
	}
	started := server.StartedChecker()
	return mgr.AddReadyzCheck("webhooks", func(request *http.Request) error {
		if err := certificateReady(request); err != nil {
			return err
		}
		return started(request)
	})
}

// authors asks the API server, or nobody.
func authors(mgr ctrl.Manager, cfg *config.OperatorConfiguration) webhook.Authors {
	if !cfg.Server.Webhook.AuthorizeAuthors {
		return webhook.Authors{}
	}
	return webhook.Authors{Reviews: mgr.GetClient()}
}

// sharedCertificate is that of the webhooks for the server of the metrics, which
// is made before it is known where the certificate comes from.
type sharedCertificate struct {
	known atomic.Pointer[webhook.Certificate]
}

func (s *sharedCertificate) set(certificate webhook.Certificate) { s.known.Store(&certificate) }

func (s *sharedCertificate) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	certificate := s.known.Load()
	if certificate == nil {
		return nil, errors.New("the operator has no certificate yet")
	}
	return (*certificate)(hello)
}

// answersFor is not the controllers' scope where that is claimed: a replica that
// waits to become the leader has claimed nothing yet, but answers.
func answersFor(ctx context.Context, mgr ctrl.Manager, cfg *config.OperatorConfiguration, served scope.Scope) (func(context.Context, string) (bool, error), error) {
	if !cfg.ClusterWide() {
		return func(_ context.Context, namespace string) (bool, error) {
			return namespace == cfg.Namespace.Restricted, nil
		}, nil
	}
	// From the start, or the first request would have to wait for the markers.
	if _, err := mgr.GetCache().GetInformer(ctx, &coordinationv1.Lease{}); err != nil {
		return nil, fmt.Errorf("watch the marker Leases: %w", err)
	}
	return func(ctx context.Context, namespace string) (bool, error) {
		serves, _, err := served.Serves(ctx, namespace)
		return serves, err
	}, nil
}

func servingCertificate(mgr ctrl.Manager, cfg config.Webhook) (webhook.Certificate, healthz.Checker, error) {
	if !cfg.ReadsSecret() {
		certificate, err := certificateFromFiles(mgr, cfg.Certificates.Directory)
		return certificate, healthz.Ping, err
	}
	serving, err := certs.Setup(mgr, cfg.Certificates)
	if err != nil {
		return nil, nil, fmt.Errorf("look after the certificate: %w", err)
	}
	return serving.GetCertificate, serving.Ready, nil
}

// certificateFromFiles follows the files when somebody renews them.
func certificateFromFiles(mgr ctrl.Manager, directory string) (webhook.Certificate, error) {
	watcher, err := certwatcher.New(filepath.Join(directory, corev1.TLSCertKey), filepath.Join(directory, corev1.TLSPrivateKeyKey))
	if err != nil {
		return nil, fmt.Errorf("read the certificate in %s: %w", directory, err)
	}
	watcher.RegisterCallback(func(certificate tls.Certificate) { certs.ReportExpiry(certificate.Leaf.NotAfter) })
	if err := mgr.Add(watcher); err != nil {
		return nil, fmt.Errorf("watch the certificate in %s: %w", directory, err)
	}
	return watcher.GetCertificate, nil
}
