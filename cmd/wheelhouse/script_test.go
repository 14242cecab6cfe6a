package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/payload"
	helmregistry "helm.sh/helm/v4/pkg/registry"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

func TestMain(m *testing.M) {
	run := func() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
	testscript.Main(m, map[string]func(){"wheelhouse": run, "kubectl-wheelhouse": run})
}

// TestOffline runs every command that needs no cluster, as a user types it.
func TestOffline(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"registry": startRegistry, "publish": publish, "sign": sign},
	})
}

// startRegistry starts a registry that has the given images (REPOSITORY:TAG)
// and sets $REGISTRY to its address.
func startRegistry(ts *testscript.TestScript, _ bool, images []string) {
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(server.Close)
	for _, image := range images {
		repository, tag, _ := strings.Cut(image, ":")
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPut, server.URL+"/v2/"+repository+"/manifests/"+tag, strings.NewReader("{}"))
		ts.Check(err)
		request.Header.Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
		answer, err := http.DefaultClient.Do(request)
		ts.Check(err)
		ts.Check(answer.Body.Close())
		if answer.StatusCode != http.StatusCreated {
			ts.Fatalf("%s: %s", image, answer.Status)
		}
	}
	ts.Setenv("REGISTRY", strings.TrimPrefix(server.URL, "http://"))
}

// publish pushes our charts (KEY=VERSION) to $REGISTRY/charts, as `helm push` does.
func publish(ts *testscript.TestScript, _ bool, keys []string) {
	client, err := helmregistry.NewClient(helmregistry.ClientOptPlainHTTP(), helmregistry.ClientOptWriter(io.Discard))
	ts.Check(err)
	for _, each := range keys {
		key, version, _ := strings.Cut(each, "=")
		ours, err := chart.OpenFS(charts.FS(), key)
		ts.Check(err)
		packed, err := ours.Versioned(version).Package()
		ts.Check(err)
		_, err = client.Push(packed, ts.Getenv("REGISTRY")+"/charts/"+ours.Name()+":"+version)
		ts.Check(err)
	}
}

// sign signs what is at $REGISTRY (REPOSITORY:TAG ...) as cosign does, with a new key
// whose public half is written to the file that is named first.
func sign(ts *testscript.TestScript, _ bool, args []string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	public, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), public, 0o600))
	signer, err := signature.LoadSigner(private, crypto.SHA256)
	ts.Check(err)
	for _, reference := range args[1:] {
		repository, err := remote.NewRepository(ts.Getenv("REGISTRY") + "/" + reference)
		ts.Check(err)
		repository.PlainHTTP = true
		subject, err := repository.Resolve(context.Background(), repository.Reference.Reference)
		ts.Check(err)
		exact, err := name.NewDigest(ts.Getenv("REGISTRY") + "/" + repository.Reference.Repository + "@" + subject.Digest.String())
		ts.Check(err)
		text, err := payload.Cosign{Image: exact}.MarshalJSON()
		ts.Check(err)
		signed, err := signer.SignMessage(bytes.NewReader(text))
		ts.Check(err)
		layer := content.NewDescriptorFromBytes("application/vnd.dev.cosign.simplesigning.v1+json", text)
		ts.Check(repository.Push(context.Background(), layer, bytes.NewReader(text)))
		layer.Annotations = map[string]string{"dev.cosignproject.cosign/signature": base64.StdEncoding.EncodeToString(signed)}
		manifest, err := oras.PackManifest(context.Background(), repository, oras.PackManifestVersion1_0, "application/vnd.oci.image.config.v1+json",
			oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
		ts.Check(err)
		ts.Check(repository.Tag(context.Background(), manifest, "sha256-"+subject.Digest.Encoded()+".sig"))
	}
}
