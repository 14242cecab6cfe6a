package session

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Explain turns what the client libraries say into one sentence with advice.
func (s *Session) Explain(doing string, err error) error {
	host := s.config.Host
	var dns *net.DNSError
	var gone *exhausted
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("cannot %s: the cluster at %s does not accept the credentials; log in again, or choose another context with --context", doing, host)
	case apierrors.IsForbidden(err):
		return &explained{fmt.Sprintf("cannot %s: %s; ask an administrator for this permission", doing, Forbidden(err)), err}
	case errors.As(err, &gone):
		return &explained{fmt.Sprintf("cannot %s: the API server at %s %s, tried %d times within %s; run the same command again when it is well",
			doing, host, gone.trouble, gone.attempts, gone.lasted.Round(time.Second)), gone}
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot %s: nothing answers at %s (connection refused); start the cluster, or choose another with --context or --kubeconfig", doing, host)
	case errors.As(err, &dns):
		return fmt.Errorf("cannot %s: the host of %s is unknown; check the server address in the kubeconfig", doing, host)
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Errorf("cannot %s: no answer from %s in time; check the network, or choose another cluster with --context", doing, host)
	case strings.Contains(err.Error(), "x509:"):
		return fmt.Errorf("cannot %s: the certificate of %s is not trusted by this kubeconfig: %w", doing, host, err)
	default:
		return fmt.Errorf("cannot %s: %w", doing, err)
	}
}

// explained reads as its text and is still the error that it explains.
type explained struct {
	text string
	err  error
}

func (e *explained) Error() string { return e.text }
func (e *explained) Unwrap() error { return e.err }

// Forbidden shortens the API server's sentence to its subject and verb.
func Forbidden(err error) string {
	_, text, found := strings.Cut(err.Error(), "forbidden: ")
	if !found {
		return err.Error()
	}
	return text
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.As(err, &timeout) && timeout.Timeout()
}

func explainConfig(err error) error {
	if clientcmd.IsEmptyConfig(err) {
		return errors.New("no cluster is configured: set KUBECONFIG, or name a file with --kubeconfig")
	}
	return fmt.Errorf("the kubeconfig cannot be used: %w", err)
}

func clientcmdEmpty() *clientcmdapi.Config { return clientcmdapi.NewConfig() }

func groupVersionKind(apiVersion, kind string) schema.GroupVersionKind {
	return schema.FromAPIVersionAndKind(apiVersion, kind)
}
