package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"helm.sh/helm/v4/pkg/cli"
	repo "helm.sh/helm/v4/pkg/repo/v1"
	"oras.land/oras-go/v2/registry/remote/auth"
	"oras.land/oras-go/v2/registry/remote/credentials"
	"oras.land/oras-go/v2/registry/remote/retry"

	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// errNotFound is a server's or folder's answer that it has no such thing.
var errNotFound = errors.New("not found")

// attempts is how often a download is tried, where each continues the one
// before, and how often a server in trouble is asked again.
const attempts = 4

// stalled is how long a download may bring nothing.
const stalled = time.Minute

// web holds the clients for repositories and registries, with the credentials
// that `helm repo add`, `helm registry login` and `docker login` have stored.
type web struct {
	plain    *http.Client
	registry *auth.Client
	repos    *repo.File
}

func (f *Fetcher) clients() *web {
	f.once.Do(func() {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = stalled
		transport.DialContext = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: noLinkLocal}).DialContext
		settings := cli.New()
		f.web.plain = &http.Client{Transport: patient(transport)}
		f.web.registry = &auth.Client{
			Client: f.web.plain, Cache: auth.NewCache(),
			Credential: credentials.Credential(registryCredentials(settings.RegistryConfig)),
		}
		f.web.registry.SetUserAgent(userAgent())
		f.web.repos = repo.NewFile()
		if known, err := repo.LoadFile(settings.RepositoryConfig); err == nil {
			f.web.repos = known
		}
	})
	return &f.web
}

// patient asks servers that are busy or in trouble again, as late as they say.
func patient(base http.RoundTripper) http.RoundTripper {
	again := retry.NewTransport(base)
	again.Policy = func() retry.Policy {
		return &retry.GenericPolicy{
			Retryable: retry.DefaultPredicate, Backoff: retry.DefaultBackoff,
			MinWait: 200 * time.Millisecond, MaxWait: time.Minute, MaxRetry: attempts,
		}
	}
	return again
}

func userAgent() string { return "wheelhouse/" + version.Version }

// registryCredentials reads Helm's file, then Docker's.
func registryCredentials(helmFile string) credentials.Store {
	var stores []credentials.Store
	if store, err := credentials.NewStore(helmFile, credentials.StoreOptions{}); err == nil {
		stores = append(stores, store)
	}
	if store, err := credentials.NewStoreFromDocker(credentials.StoreOptions{}); err == nil {
		stores = append(stores, store)
	}
	if len(stores) == 0 {
		return credentials.NewMemoryStore()
	}
	return credentials.NewStoreWithFallbacks(stores[0], stores[1:]...)
}

// basicAuth finds the credentials of the repository that a URL belongs to.
func (w *web) basicAuth(url string) (user, password string) {
	for _, r := range w.repos.Repositories {
		if r.Username != "" && strings.HasPrefix(url, strings.TrimRight(r.URL, "/")+"/") {
			return r.Username, r.Password
		}
	}
	return "", ""
}

func (f *Fetcher) openHTTP(url string, size int64) download {
	return func(ctx context.Context, offset int64) (io.ReadCloser, int64, error) {
		w := f.clients()
		return get(ctx, url, offset, size, func(request *http.Request) (*http.Response, error) {
			request.Header.Set("User-Agent", userAgent())
			if user, password := w.basicAuth(url); user != "" {
				request.SetBasicAuth(user, password)
			}
			return w.plain.Do(request)
		})
	}
}

// openFile opens a package, or packages a chart that lies unpacked.
func openFile(name string) download {
	return func(context.Context, int64) (io.ReadCloser, int64, error) {
		if info, err := os.Stat(name); err == nil && info.IsDir() {
			data, err := packageOf(name)
			return io.NopCloser(bytes.NewReader(data)), 0, err
		}
		file, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s: %w", name, errNotFound)
		}
		return file, 0, err
	}
}

// get opens a URL from an offset, if the server can do that. The size of the
// whole is 0 where it is not known.
func get(ctx context.Context, url string, offset, size int64, do func(*http.Request) (*http.Response, error)) (io.ReadCloser, int64, error) {
	ctx, cancel := context.WithCancel(ctx)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	// Offsets count the bytes of the file, not of a compressed transfer.
	request.Header.Set("Accept-Encoding", "identity")
	if offset > 0 {
		request.Header.Set("Range", rangeFrom(offset, size))
	}
	response, err := do(request)
	if err != nil {
		cancel()
		return nil, 0, err
	}
	return answered(response, offset, cancel)
}

// answered turns a response into a body and the offset at which it starts.
func answered(response *http.Response, offset int64, cancel context.CancelFunc) (io.ReadCloser, int64, error) {
	body := &watched{ReadCloser: response.Body, cancel: cancel, timer: time.AfterFunc(stalled, cancel)}
	url := response.Request.URL.Redacted()
	switch response.StatusCode {
	case http.StatusOK:
		return body, 0, nil
	case http.StatusPartialContent:
		var first int64
		from := response.Header.Get("Content-Range")
		if _, err := fmt.Sscanf(from, "bytes %d-", &first); err != nil || first != offset {
			return nil, 0, errors.Join(fmt.Errorf("GET %s: the server continues at %q, asked for byte %d", url, from, offset), body.Close())
		}
		return body, offset, nil
	case http.StatusRequestedRangeNotSatisfiable:
		// All of it was there: the digest will tell whether it is right.
		return io.NopCloser(strings.NewReader("")), offset, body.Close()
	default:
		return nil, 0, errors.Join(&statusError{url: url, code: response.StatusCode}, body.Close())
	}
}

// rangeFrom names the last byte where it can: some registries insist.
func rangeFrom(offset, size int64) string {
	if size == 0 {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, size-1)
}

// watched ends a download that brings nothing for too long.
type watched struct {
	io.ReadCloser
	cancel context.CancelFunc
	timer  *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.timer.Reset(stalled)
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	w.cancel()
	return w.ReadCloser.Close()
}

type statusError struct {
	url  string
	code int
}

func (e *statusError) Error() string {
	text := fmt.Sprintf("GET %s: %d %s", e.url, e.code, http.StatusText(e.code))
	if e.code == http.StatusUnauthorized || e.code == http.StatusForbidden {
		text += "; log in with `helm registry login`, `docker login` or `helm repo add --username`"
	}
	return text
}

func (e *statusError) Is(target error) bool {
	return target == errNotFound && e.code == http.StatusNotFound
}

func readAll(ctx context.Context, open download, limit int64) ([]byte, error) {
	body, _, err := open(ctx, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = body.Close() }()
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("is larger than %d MiB", limit>>20)
	}
	return data, err
}

// repeat does again what may work the next time.
func repeat(ctx context.Context, do func() error) error {
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil || ctx.Err() != nil || attempt == attempts || !temporary(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
			pause *= 3
		}
	}
}

func temporary(err error) bool {
	var network net.Error
	switch {
	case unreachable(err), errors.Is(err, errLinkLocal):
		return false
	case errors.Is(err, errResumedWrong), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		// Canceled: the watch on a stalled download; the caller's own end is checked before.
		return true
	default:
		return errors.As(err, &network) || errors.Is(err, syscall.ECONNRESET)
	}
}

// unreachable is a server that cannot be found or refuses to talk.
func unreachable(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound || errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENETUNREACH)
}
