//go:build e2e

package registry

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

const (
	node     = "registry"
	user     = "team"
	password = "correct horse"
)

// site is a node, and a machine beside it with a registry.
type site struct {
	dir string
	// address is the machine's own, as the node reaches it; certs is where the node's
	// containerd looks for what it must know of registries.
	address, certs string
	times          []string
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir()}
	bin, err := filepath.Abs("../../bin")
	must(t, err)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CACHE_HOME", filepath.Join(s.dir, "cache"))
	t.Setenv("GOCACHE", goCache(t))
	t.Cleanup(func() {
		// The test's own context is over.
		if out, err := exec.CommandContext(context.Background(), "drydock", "down", "--name", node).CombinedOutput(); err != nil {
			t.Errorf("drydock down: %v\n%s", err, out)
		}
	})
	run(t, "drydock", "up", "--name", node)
	kubeconfig := strings.TrimSpace(run(t, "drydock", "kubeconfig", "--path", "--name", node))
	t.Setenv("KUBECONFIG", kubeconfig)
	s.certs = filepath.Join(filepath.Dir(kubeconfig), "node", "etc", "containerd", "certs.d")
	for line := range strings.Lines(run(t, "drydock", "env", "--name", node)) {
		// kubectl comes with the node.
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "export PATH="); ok {
			first, _, _ := strings.Cut(strings.Trim(value, `"'`), ":")
			t.Setenv("PATH", first+":"+os.Getenv("PATH"))
		}
	}
	var nodes []struct{ Server string }
	must(t, json.Unmarshal([]byte(run(t, "drydock", "status", "--name", node, "-o", "json")), &nodes))
	s.address = regexp.MustCompile(`10\.\d+\.0\.`).FindString(nodes[0].Server) + "1"
	return s
}

// goCache is the user's, whatever else is set for what is run.
func goCache(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	must(t, err)
	return strings.TrimSpace(string(out))
}

// login leaves the password where `docker login` does, and gives it to the node's
// namespaces.
func (s *site) login(t *testing.T) {
	t.Helper()
	auth := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	auths := map[string]any{}
	for _, port := range []int{5443, 5444} {
		auths[fmt.Sprintf("%s:%d", s.address, port)] = map[string]string{"auth": auth}
	}
	config, err := json.Marshal(map[string]any{"auths": auths})
	must(t, err)
	file := filepath.Join(s.dir, "config.json")
	must(t, os.WriteFile(file, config, 0o600))
	t.Setenv("DOCKER_CONFIG", s.dir)
	t.Setenv("HELM_REGISTRY_CONFIG", file)
	for _, namespace := range []string{"team", "team-platform"} {
		run(t, "kubectl", "create", "namespace", namespace)
		run(t, "kubectl", "create", "secret", "generic", "registry", "-n", namespace,
			"--type=kubernetes.io/dockerconfigjson", "--from-file=.dockerconfigjson="+file)
	}
}

// server is a real registry.
type server struct {
	host, dir string
	process   *exec.Cmd
	said      *bytes.Buffer
}

const configuration = `version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: %[1]s/data}}
auth: {htpasswd: {realm: registry, path: %[1]s/passwords}}
http: {addr: %[2]q, secret: x, tls: {certificate: %[1]s/tls.crt, key: %[1]s/tls.key}}
`

// serve starts a registry that asks for the password, with a certificate of its own
// that this process, what it runs, and the node trust.
func (s *site) serve(t *testing.T, port int) *server {
	t.Helper()
	r := &server{host: fmt.Sprintf("%s:%d", s.address, port), dir: t.TempDir(), said: &bytes.Buffer{}}
	program := filepath.Join(s.dir, "registry-program")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	build.Dir = "../thirdparty/registry"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	certificate, key := selfSigned(t, s.address)
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	must(t, err)
	for name, content := range map[string][]byte{
		"tls.crt": certificate, "tls.key": key, "passwords": []byte(user + ":" + string(hash) + "\n"),
		"config.yml": fmt.Appendf(nil, configuration, r.dir, r.host),
	} {
		must(t, os.WriteFile(filepath.Join(r.dir, name), content, 0o600))
	}
	s.trust(t, r.host, certificate)

	r.process = exec.CommandContext(t.Context(), program, "serve", filepath.Join(r.dir, "config.yml"))
	r.process.Stdout, r.process.Stderr = r.said, r.said
	must(t, r.process.Start())
	t.Cleanup(func() {
		_ = r.process.Process.Kill() // it may have been stopped
		_ = r.process.Wait()
	})
	r.await(t, certificate)
	return r
}

// trust tells programs and containerd of a certificate.
func (s *site) trust(t *testing.T, host string, certificate []byte) {
	t.Helper()
	known := filepath.Join(s.dir, "known.crt")
	if _, err := os.Stat(known); err != nil {
		must(t, os.WriteFile(known, othersKnown(), 0o600))
	}
	file, err := os.OpenFile(known, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = file.Write(certificate)
	must(t, err)
	must(t, file.Close())
	t.Setenv("SSL_CERT_FILE", known)
	folder := filepath.Join(s.certs, host)
	must(t, os.MkdirAll(folder, 0o755))
	must(t, os.WriteFile(filepath.Join(folder, "ca.crt"), certificate, 0o644))
	hosts := fmt.Sprintf("server = \"https://%[1]s\"\n[host.\"https://%[1]s\"]\nca = \"/etc/containerd/certs.d/%[1]s/ca.crt\"\n", host)
	must(t, os.WriteFile(filepath.Join(folder, "hosts.toml"), []byte(hosts), 0o644))
}

// othersKnown are the certificates that programs trust anyway.
func othersKnown() []byte {
	for _, file := range []string{os.Getenv("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"} {
		if known, err := os.ReadFile(file); err == nil {
			return known
		}
	}
	return nil
}

// await waits until the registry asks for a password.
func (r *server) await(t *testing.T, certificate []byte) {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for range 200 {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+r.host+"/v2/", http.NoBody)
		must(t, err)
		answer, err := client.Do(request)
		if err == nil {
			must(t, answer.Body.Close())
			if answer.StatusCode != http.StatusUnauthorized {
				t.Fatalf("the registry lets everybody in: %s", answer.Status)
			}
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the registry does not answer:\n%s", r.said)
}

func (r *server) stop(t *testing.T) {
	t.Helper()
	must(t, r.process.Process.Signal(syscall.SIGTERM))
	_ = r.process.Wait() // it was told to end
}

// selfSigned is a certificate of an address, for itself.
func selfSigned(t *testing.T, address string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "registry"}, IPAddresses: []net.IP{net.ParseIP(address)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run runs a command and returns its standard output.
func run(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return stdout.String()
}
