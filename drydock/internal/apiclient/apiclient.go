// Package apiclient speaks to the API server with plain HTTP: the few requests that starting a cluster needs.
package apiclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/drydock/internal/pki"
)

// Client acts as the holder of a client certificate.
type Client struct {
	server string
	http   *http.Client
}

// New returns a client of the API server at server, for example https://127.0.0.1:6443.
func New(server string, authority []byte, identity pki.Pair) (*Client, error) {
	certificate, err := tls.X509KeyPair(identity.Certificate, identity.Key)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		return nil, errors.New("the cluster's certificate authority is damaged")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	return &Client{server: server, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}, nil
}

// Ready returns nil when the API server says that it can serve requests.
func (c *Client) Ready(ctx context.Context) error {
	_, err := c.do(ctx, http.MethodGet, "/readyz", "", nil)
	return err
}

// Get reads the object or list at path into out.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	body, err := c.do(ctx, http.MethodGet, path, "", nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, out)
}

// Object is a manifest and where the API server keeps it.
type Object struct {
	Path string
	YAML string
}

// Apply makes the objects so, by server-side apply as field manager drydock.
func (c *Client) Apply(ctx context.Context, objects []Object) error {
	for _, object := range objects {
		path := object.Path + "?fieldManager=drydock&force=true"
		if _, err := c.do(ctx, http.MethodPatch, path, "application/apply-patch+yaml", []byte(object.YAML)); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) do(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, c.server+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(content))
	}
	return content, nil
}
