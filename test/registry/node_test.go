//go:build e2e

// Package registry brings the product to a cluster the way most people have to: from
// a checkout into a registry of their own, with TLS and a password, and from there.
package registry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/crane"
)

const operator = "deployment/dynamo-platform-dynamo-operator-controller-manager"

// TestAClusterLivesOnARegistry pushes the product, applies it on a real node that
// pulls it, upgrades it by pushing the next version, and changes over to a copy of
// the registry when the first one is gone. It prints sizes and times.
func TestAClusterLivesOnARegistry(t *testing.T) {
	s := newSite(t)
	first := s.serve(t, 5443)
	s.login(t)

	lines := s.push(t, first, "1.0.0")
	fleet := s.fleet(t, lines)
	s.step(t, "first apply, with all pulls", func() { s.apply(t, fleet) })
	s.runs(t, lines)

	next := s.push(t, first, "1.0.1")
	fleet = s.fleet(t, next)
	s.step(t, "upgrade", func() { s.apply(t, fleet) })
	s.runs(t, next)
	if out := run(t, "helm", "history", "dynamo-platform", "-n", "team-platform"); !strings.Contains(out, "dynamo-platform-1.0.1") {
		t.Errorf("Helm does not know the upgrade:\n%s", out)
	}

	second := s.serve(t, 5444)
	s.step(t, "copy", func() { s.copy(t, next, first.host, second.host) })
	first.stop(t)
	moved := strings.ReplaceAll(next, first.host, second.host)
	fleet = s.fleet(t, moved)
	s.step(t, "apply from the copy", func() { s.apply(t, fleet) })
	s.runs(t, moved)
	s.print(t, first)
}

// fleet is a fleet file with the lines that were printed, for one team.
func (s *site) fleet(t *testing.T, lines string) string {
	t.Helper()
	text := "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: site}\n" + lines + `
  shared: {imagePullSecrets: [registry]}
  profiles: [dev]
  platforms:
    - namespace: team-platform
      serves: team
      values: [{platform: {nats: {enabled: false}}}]
`
	file := filepath.Join(s.dir, "fleet.yaml")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

var (
	image = regexp.MustCompile(`repository: (\S+/dynamo-operator), digest: "(sha256:[0-9a-f]+)"`)
	named = regexp.MustCompile(`(?:repository: (\S+), digest: "(sha256:[0-9a-f]+)")|oci://(\S+)`)
)

// push runs the command of the documentation, and returns the lines for a fleet file.
func (s *site) push(t *testing.T, r *server, version string) (lines string) {
	t.Helper()
	var out string
	s.step(t, "push of "+version, func() {
		out = run(t, "make", "--no-print-directory", "-C", "../..", "push", "REGISTRY="+r.host+"/team", "VERSION="+version)
	})
	_, lines, found := strings.Cut(out, "For your fleet file:\n\n")
	if !found {
		t.Fatalf("no lines for a fleet file:\n%s", out)
	}
	return lines
}

func (s *site) apply(t *testing.T, fleet string) {
	t.Helper()
	run(t, "wheelhouse", "apply", "-f", fleet, "--yes")
}

// runs sees that the operator's pod runs the very image that was pushed.
func (s *site) runs(t *testing.T, lines string) {
	t.Helper()
	run(t, "kubectl", "rollout", "status", "-n", "team-platform", operator, "--timeout=120s")
	said := image.FindStringSubmatch(lines)
	if said == nil {
		t.Fatalf("no operator in\n%s", lines)
	}
	want := said[1] + "@" + said[2]
	out := run(t, "kubectl", "get", "pods", "-n", "team-platform", "-l", "app.kubernetes.io/name=dynamo-operator",
		"-o", "jsonpath={range .items[?(@.status.phase=='Running')]}{.spec.containers[0].image} {.status.containerStatuses[0].ready}{'\\n'}{end}")
	if !strings.Contains(out, want+" true") {
		t.Errorf("the operator's pods run\n%swant %s", out, want)
	}
}

// copy takes everything that the lines name to another registry, as it is.
func (s *site) copy(t *testing.T, lines, from, to string) {
	t.Helper()
	for _, each := range named.FindAllStringSubmatch(lines, -1) {
		reference := each[1] + "@" + each[2]
		if each[3] != "" {
			reference = each[3]
		}
		copied := strings.Replace(strings.Replace(reference, from, to, 1), "@sha256:", ":sha256-", 1)
		must(t, crane.Copy(reference, copied, crane.WithAuthFromKeychain(authn.DefaultKeychain)))
	}
}

// step notes how long something takes.
func (s *site) step(t *testing.T, what string, do func()) {
	t.Helper()
	began := time.Now()
	do()
	s.times = append(s.times, fmt.Sprintf("%-30s %6.1f s", what, time.Since(began).Seconds()))
}

func (s *site) print(t *testing.T, r *server) {
	t.Helper()
	var stored int64
	must(t, filepath.WalkDir(r.dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if info != nil && info.Mode().IsRegular() {
			stored += info.Size()
		}
		return err
	}))
	t.Logf("\n%s\nthe registry holds %d MiB of two versions for two architectures\n%s", strings.Join(s.times, "\n"), stored>>20, s.pulls(t))
}

// pulls are what the kubelet says of the images that it got from a registry.
func (s *site) pulls(t *testing.T) string {
	t.Helper()
	var events struct {
		Items []struct{ Message string }
	}
	must(t, json.Unmarshal([]byte(run(t, "kubectl", "get", "events", "-A", "--field-selector", "reason=Pulled", "-o", "json")), &events))
	var text bytes.Buffer
	for _, event := range events.Items {
		if strings.HasPrefix(event.Message, "Successfully pulled") {
			fmt.Fprintln(&text, event.Message)
		}
	}
	return text.String()
}
