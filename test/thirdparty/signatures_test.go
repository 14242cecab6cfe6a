package thirdparty

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/registry"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	sigstore "github.com/sigstore/sigstore/pkg/signature"
	"github.com/sigstore/sigstore/pkg/signature/dsse"
	"oras.land/oras-go/v2"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/registry/remote"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

// signer signs as cosign does.
type signer struct {
	sigstore.Signer
	pem []byte
}

func newSigner(t *testing.T) signer {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sigstore.LoadSigner(private, crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := cryptoutils.MarshalPublicKeyToPEM(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return signer{s, pem}
}

// trusts asks for the signer's signature on all of a registry.
func (s signer) trusts(t *testing.T, address string) signature.Policy {
	t.Helper()
	at := fleet.Origin{File: "fleet.yaml", Line: 7, Column: 3}
	p, err := signature.NewPolicy([]fleet.Signature{{
		For: fleet.Located[string]{Value: strings.TrimPrefix(address, "oci://"), Origin: at},
		Key: fleet.Located[string]{Value: "keys/team.pub", Origin: at}, PEM: s.pem,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (s signer) sign(t *testing.T, text []byte) string {
	t.Helper()
	signed, err := s.SignMessage(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(signed)
}

func open(t *testing.T, address string) (*remote.Repository, ocispec.Descriptor) {
	t.Helper()
	repository, err := remote.NewRepository(strings.TrimPrefix(address, "oci://"))
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	subject, err := repository.Resolve(t.Context(), repository.Reference.Reference)
	if err != nil {
		t.Fatal(err)
	}
	return repository, subject
}

func push(t *testing.T, repository *remote.Repository, kind string, data []byte) ocispec.Descriptor {
	t.Helper()
	d := content.NewDescriptorFromBytes(kind, data)
	if err := repository.Push(t.Context(), d, bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	return d
}

const simpleSigning = "application/vnd.dev.cosign.simplesigning.v1+json"

func simple(digest string) []byte {
	return []byte(`{"critical":{"identity":{"docker-reference":"r/a"},"image":{"docker-manifest-digest":"` + digest + `"},"type":"cosign container image signature"},"optional":null}`)
}

// layer is a signed text with a signature beside it.
func layer(t *testing.T, repository *remote.Repository, text []byte, signed string) ocispec.Descriptor {
	t.Helper()
	d := push(t, repository, simpleSigning, text)
	d.Annotations = map[string]string{"dev.cosignproject.cosign/signature": signed}
	return d
}

// attach puts signatures where cosign up to version 2 puts them.
func attach(t *testing.T, repository *remote.Repository, subject ocispec.Descriptor, layers ...ocispec.Descriptor) {
	t.Helper()
	manifest, err := oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_0, "application/vnd.oci.image.config.v1+json", oras.PackManifestOptions{Layers: layers})
	if err != nil {
		t.Fatal(err)
	}
	if err := repository.Tag(t.Context(), manifest, "sha256-"+subject.Digest.Encoded()+".sig"); err != nil {
		t.Fatal(err)
	}
}

// signTagged signs as `cosign sign --key --new-bundle-format=false` does.
func (s signer) signTagged(t *testing.T, address string) {
	t.Helper()
	repository, subject := open(t, address)
	text := simple(subject.Digest.String())
	attach(t, repository, subject, layer(t, repository, text, s.sign(t, text)))
}

const bundleKind = "application/vnd.dev.sigstore.bundle.v0.3+json"

// signReferring signs as `cosign sign --key` of version 3 does.
func (s signer) signReferring(t *testing.T, address, predicate string) {
	t.Helper()
	repository, subject := open(t, address)
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"digest":{"sha256":%q}}],"predicateType":%q}`, subject.Digest.Encoded(), predicate)
	envelope, err := dsse.WrapSigner(s.Signer, "application/vnd.in-toto+json").SignMessage(strings.NewReader(statement))
	if err != nil {
		t.Fatal(err)
	}
	bundle := push(t, repository, bundleKind, []byte(`{"mediaType":"`+bundleKind+`","verificationMaterial":{"publicKey":{"hint":"x"},"tlogEntries":[]},"dsseEnvelope":`+string(envelope)+`}`))
	_, err = oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, bundleKind, oras.PackManifestOptions{Subject: &subject, Layers: []ocispec.Descriptor{bundle}})
	if err != nil {
		t.Fatal(err)
	}
}

const cosignSign = "https://sigstore.dev/cosign/sign/v1"

// signedRegistry has the fixture charts; the fetcher asks for the signer's signature.
func signedRegistry(t *testing.T) (server *server, address string, s signer, f *chart.Fetcher) {
	t.Helper()
	server, address = ociRegistry(t)
	publish(t, address+"/charts", packages(t))
	s, f = newSigner(t), fetcher(t)
	f.Signatures = s.trusts(t, address+"/charts")
	return server, address + "/charts", s, f
}

func TestASignedChartIsLockedAndVerifiedAgainWithoutARegistry(t *testing.T) {
	for form, sign := range map[string]func(*testing.T, signer, string){
		"tagged":    func(t *testing.T, s signer, to string) { s.signTagged(t, to) },
		"referring": func(t *testing.T, s signer, to string) { s.signReferring(t, to, cosignSign) },
	} {
		t.Run(form, func(t *testing.T) {
			server, address, s, f := signedRegistry(t)
			sign(t, s, address+"/nats:1.3.2")
			l := lock(t, f, nats(address))
			server.seen()
			if err := f.Lock(t.Context(), nats(address), l, false); err != nil {
				t.Fatal(err)
			}
			if requests := server.seen(); len(requests) > 0 {
				t.Errorf("what is locked and signed was asked for again: %q", requests)
			}

			// The lock survives being written; from then on no registry is needed.
			file := filepath.Join(t.TempDir(), chart.LockName)
			if err := l.Write(file); err != nil {
				t.Fatal(err)
			}
			read, err := chart.ReadLock(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(l.Charts, read.Charts); diff != "" {
				t.Errorf("the lock was read as another one:\n%s", diff)
			}
			server.Close()
			found, err := chart.Shelf{Lock: read, Cache: f.Cache}.Find(nats(address)[0], f.Signatures)
			if err != nil || found == nil {
				t.Errorf("found %v, %v", found, err)
			}
			if err := f.Lock(t.Context(), nats(address), read, false); err != nil {
				t.Errorf("without a registry: %v", err)
			}
		})
	}
}

func TestReferrersAreFoundByTheAPIAndByTheirTag(t *testing.T) {
	for name, supported := range map[string]bool{"API": true, "tag": false} {
		t.Run(name, func(t *testing.T) {
			server := serve(t, registry.New(registry.Logger(log.New(&bytes.Buffer{}, "", 0)), registry.WithReferrersSupport(supported)))
			address := "oci://" + strings.TrimPrefix(server.URL, "http://") + "/charts"
			publish(t, address, packages(t))
			s, f := newSigner(t), fetcher(t)
			f.Signatures = s.trusts(t, address)
			s.signReferring(t, address+"/nats:1.3.2", "https://slsa.dev/provenance/v1")
			wantError(t, f.Lock(t.Context(), nats(address), &chart.Lock{}, false), "has an attestation", "which is no signature")
			newSigner(t).signReferring(t, address+"/nats:1.3.2", cosignSign)
			s.signReferring(t, address+"/nats:1.3.2", cosignSign)
			lock(t, f, nats(address))
		})
	}
}

func TestWhatIsNotSignedIsNotLocked(t *testing.T) {
	for name, c := range map[string]struct {
		sign func(t *testing.T, s signer, address string)
		want []string
	}{
		"no signature": {func(*testing.T, signer, string) {}, []string{"has no signature"}},
		"another key":  {func(t *testing.T, _ signer, to string) { newSigner(t).signTagged(t, to) }, []string{"none by the key keys/team.pub"}},
		"another digest": {func(t *testing.T, s signer, to string) {
			repository, subject := open(t, to)
			text := simple("sha256:" + strings.Repeat("1", 64))
			attach(t, repository, subject, layer(t, repository, text, s.sign(t, text)))
		}, []string{"has a signature of another digest"}},
		"a signature of another text": {func(t *testing.T, s signer, to string) {
			repository, subject := open(t, to)
			attach(t, repository, subject, layer(t, repository, simple(subject.Digest.String()), s.sign(t, []byte("another"))))
		}, []string{"none by the key"}},
		"a huge text": {func(t *testing.T, s signer, to string) {
			repository, subject := open(t, to)
			text := append(simple(subject.Digest.String()), bytes.Repeat([]byte(" "), 1<<20)...)
			attach(t, repository, subject, layer(t, repository, text, s.sign(t, text)))
		}, []string{"cannot be read", "1048576 are read"}},
		"too many": {func(t *testing.T, s signer, to string) {
			repository, subject := open(t, to)
			text := simple(subject.Digest.String())
			bad := layer(t, repository, []byte("{}"), "AAAA")
			layers := []ocispec.Descriptor{}
			for range 50 {
				layers = append(layers, bad)
			}
			attach(t, repository, subject, append(layers, layer(t, repository, text, s.sign(t, text)))...)
		}, []string{"none by the key"}},
		"no text": {func(t *testing.T, s signer, to string) {
			repository, subject := open(t, to)
			attach(t, repository, subject, layer(t, repository, []byte("\xff"), s.sign(t, []byte("\xff"))))
		}, []string{"is not text"}},
		"a layer that is not there, of a digest that is none": {func(t *testing.T, _ signer, to string) {
			repository, subject := open(t, to)
			manifest := `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","layers":[{"mediaType":"` + simpleSigning +
				`","digest":"x","size":-1,"annotations":{"dev.cosignproject.cosign/signature":"AAAA"}}]}`
			d := content.NewDescriptorFromBytes(ocispec.MediaTypeImageManifest, []byte(manifest))
			if err := repository.PushReference(t.Context(), d, strings.NewReader(manifest), "sha256-"+subject.Digest.Encoded()+".sig"); err != nil {
				t.Fatal(err)
			}
		}, []string{`the digest "x" is not supported`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, address, s, f := signedRegistry(t)
			c.sign(t, s, address+"/nats:1.3.2")
			l := &chart.Lock{}
			_, subject := open(t, address+"/nats:1.3.2")
			exact := strings.TrimPrefix(address, "oci://") + "/nats@" + subject.Digest.String()
			wantError(t, f.Lock(t.Context(), nats(address), l, false), append(c.want, "nats 1.3.2 from "+address, "keys/team.pub (fleet.yaml:7:3)", "`cosign sign --key KEY "+exact+"`")...)
			if len(l.Charts) > 0 {
				t.Errorf("locked %v", l.Charts)
			}
		})
	}
}

// A good signature is found beside anybody's.
func TestOtherSignaturesArePassedOver(t *testing.T) {
	_, address, s, f := signedRegistry(t)
	repository, subject := open(t, address+"/nats:1.3.2")
	text := simple(subject.Digest.String())
	attach(t, repository, subject,
		layer(t, repository, []byte("{}"), "%"), layer(t, repository, []byte("\xff"), "AAAA"), layer(t, repository, text, newSigner(t).sign(t, text)), layer(t, repository, text, s.sign(t, text)))
	lock(t, f, nats(address))
}

func TestASignatureIsAskedOnlyWhereTheFleetDoes(t *testing.T) {
	server, address, s, f := signedRegistry(t)
	f.Signatures = s.trusts(t, address+"/nat")
	l := lock(t, f, nats(address))
	if l.Charts[0].Signature != (chart.Signature{}) || countOf(server.seen(), ".sig") > 0 {
		t.Error("a signature was looked for that nobody asks for")
	}
	// A lock from before is completed, without another look at the chart.
	f.Signatures = s.trusts(t, address)
	_, err := chart.Shelf{Lock: l, Cache: f.Cache}.Find(nats(address)[0], f.Signatures)
	wantError(t, err, "nats 1.3.2", l.Charts[0].Digest, "has no signature", "keys/team.pub (fleet.yaml:7:3)", "wheelhouse deps lock")
	s.signTagged(t, address+"/nats:1.3.2")
	before := l.Charts[0].Digest
	if err := f.Lock(t.Context(), nats(address), l, false); err != nil {
		t.Fatal(err)
	}
	if l.Charts[0].Signature == (chart.Signature{}) || l.Charts[0].Digest != before {
		t.Errorf("locked %v", l.Charts[0])
	}
}

// A tag that has moved since a chart was locked brings no signature for it.
func TestASignatureOfAnotherPackageIsNotForThisOne(t *testing.T) {
	_, address, s, f := signedRegistry(t)
	f.Signatures = nil
	l := lock(t, f, nats(address))
	other, err := chart.Open(filepath.Join("charts", "nats"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := other.Versioned("1.3.3").Package()
	if err != nil {
		t.Fatal(err)
	}
	moved, err := f.Cache.Put(data)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Mirror(t.Context(), []chart.Locked{{Name: "nats", Version: "1.3.2", Digest: moved}}, address); err != nil {
		t.Fatal(err)
	}
	s.signTagged(t, address+"/nats:1.3.2")
	f.Signatures = s.trusts(t, address)
	wantError(t, f.Lock(t.Context(), nats(address), l, false), "has a signature of another package, "+moved)
}

// Whoever replaces a chart replaces its digest with it; the signature stays the key's.
func TestAChartThatSomebodyReplacedIsRefused(t *testing.T) {
	_, address, s, f := signedRegistry(t)
	for name, tag := range map[string]string{"nats": "1.3.2", "etcd": "12.0.18"} {
		s.signTagged(t, address+"/"+name+":"+tag)
	}
	l := lock(t, f, append(nats(address), chart.Dependency{Name: "etcd", Version: "12.0.18", Repository: address}))
	evil, err := os.ReadFile(f.Cache.Path(l.Charts[1].Digest))
	if err != nil {
		t.Fatal(err)
	}
	shelf := chart.Shelf{Lock: l, Cache: f.Cache}
	find := func() error { _, err := shelf.Find(nats(address)[0], f.Signatures); return err }
	good := l.Charts[0]

	// In the cache.
	write(t, f.Cache.Path(good.Digest), evil)
	wantError(t, find(), "has the digest")

	// In the cache and in the lock, with whatever signature.
	l.Charts[0].Digest = l.Charts[1].Digest
	wantError(t, find(), "has a signature of another package, "+good.Digest)
	l.Charts[0].Signature = chart.Signature{}
	wantError(t, find(), "has no signature")
	forged := newSigner(t)
	l.Charts[0].Signature = good.Signature
	l.Charts[0].Signature.Signature = forged.sign(t, []byte(good.Signature.Payload))
	wantError(t, find(), "none by the key keys/team.pub")
	l.Charts[0].Signature = good.Signature
	l.Charts[0].Signature.Manifest = strings.Replace(good.Signature.Manifest, good.Digest, l.Charts[1].Digest, 1)
	wantError(t, find(), "has a signature of another digest")
	for _, manifest := range []string{"", "{", "null", `{"layers":null}`} {
		l.Charts[0].Signature.Manifest = manifest
		wantError(t, find(), "nats 1.3.2")
	}
}

// A bundle brings the signatures in its lock. One that was made anew, with another
// chart, is loaded where nothing was locked, and is no good there.
func TestABundleBringsSignaturesAndCannotForgeThem(t *testing.T) {
	server, address, s, f := signedRegistry(t)
	s.signTagged(t, address+"/nats:1.3.2")
	l := lock(t, f, nats(address))
	server.Close()
	site := func(l *chart.Lock, cache chart.Cache) error {
		b := &chart.Bundle{Fleet: "f", Files: map[string][]byte{}}
		if err := b.AddLocked(chart.Shelf{Lock: l, Cache: cache}); err != nil {
			t.Fatal(err)
		}
		var file bytes.Buffer
		if _, err := b.Write(&file); err != nil {
			t.Fatal(err)
		}
		read, _, err := chart.ReadBundle(&file)
		if err != nil {
			t.Fatal(err)
		}
		shelf := chart.Shelf{Lock: &chart.Lock{}, Cache: chart.Cache{Dir: t.TempDir()}}
		if err := read.Unpack(shelf); err != nil {
			t.Fatal(err)
		}
		found, err := shelf.Find(nats(address)[0], f.Signatures)
		if err == nil && found == nil {
			t.Error("it is not there")
		}
		return err
	}
	if err := site(l, f.Cache); err != nil {
		t.Error(err)
	}
	other, err := chart.Open(filepath.Join("charts", "nats"))
	if err != nil {
		t.Fatal(err)
	}
	data, err := other.Package()
	if err != nil {
		t.Fatal(err)
	}
	var changed bytes.Buffer
	changed.Write(data)
	changed.WriteString("\x00")
	evil := l.Charts[0]
	if evil.Digest, err = f.Cache.Put(changed.Bytes()); err != nil {
		t.Fatal(err)
	}
	evil.Size = int64(changed.Len())
	wantError(t, site(&chart.Lock{Charts: []chart.Locked{evil}}, f.Cache), "nats 1.3.2", "has a signature of another package")
	evil.Signature = chart.Signature{}
	wantError(t, site(&chart.Lock{Charts: []chart.Locked{evil}}, f.Cache), "has no signature")
}

// Behind a mirror that has no signatures, what is locked with one is enough; what is
// not locked cannot be.
func TestAMirrorNeedsNoSignatures(t *testing.T) {
	_, address, s, f := signedRegistry(t)
	s.signTagged(t, address+"/nats:1.3.2")
	l := lock(t, f, nats(address))
	dir := t.TempDir()
	mirrors, err := f.Mirror(t.Context(), l.Charts, dir)
	if err != nil {
		t.Fatal(err)
	}
	behind := fetcher(t, mirrors...)
	behind.Signatures = f.Signatures
	if err := behind.Lock(t.Context(), nats(address), l, false); err != nil {
		t.Error(err)
	}
	pull(t, behind, l)
	if _, err := (chart.Shelf{Lock: l, Cache: behind.Cache}).Find(nats(address)[0], f.Signatures); err != nil {
		t.Error(err)
	}
	wantError(t, behind.Lock(t.Context(), nats(address), &chart.Lock{}, false), "keys/team.pub (fleet.yaml:7:3) asks for a signature", "is no registry")
}

// A registry that lists referrers for ever is not followed for ever.
func TestAListWithoutAnEndEnds(t *testing.T) {
	server, address, _, f := signedRegistry(t)
	server.answer(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/referrers/") {
			return false
		}
		w.Header().Set("Content-Type", ocispec.MediaTypeImageIndex)
		w.Header().Set("Link", `<`+r.URL.Path+`?next>; rel="next"`)
		_, err := w.Write([]byte(`{"schemaVersion":2,"mediaType":"` + ocispec.MediaTypeImageIndex + `","manifests":[]}`))
		return err == nil
	})
	wantError(t, f.Lock(t.Context(), nats(address), &chart.Lock{}, false), "has a signature that cannot be read", "50 pages")
}

// anImage pushes a manifest that stands for an image.
func anImage(t *testing.T, address string) (reference, digest string) {
	t.Helper()
	repository, err := remote.NewRepository(strings.TrimPrefix(address, "oci://"))
	if err != nil {
		t.Fatal(err)
	}
	repository.PlainHTTP = true
	layer := push(t, repository, "application/octet-stream", []byte(t.Name()+rand.Text()))
	manifest, err := oras.PackManifest(t.Context(), repository, oras.PackManifestVersion1_1, "application/x-image", oras.PackManifestOptions{Layers: []ocispec.Descriptor{layer}})
	if err != nil {
		t.Fatal(err)
	}
	if err := repository.Tag(t.Context(), manifest, repository.Reference.Reference); err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(address, "oci://"), manifest.Digest.String()
}

func TestImagesAreLockedWithTheirSignatures(t *testing.T) {
	server, address := ociRegistry(t)
	s, f := newSigner(t), fetcher(t)
	f.Signatures = s.trusts(t, address+"/team")
	image, digest := anImage(t, address+"/team/tool:1")
	others, _ := anImage(t, address+"/others/tool:1")
	l := &chart.Lock{}
	wantError(t, f.LockImages(t.Context(), []string{image, others}, l, false),
		"image "+image, "has no signature", "keys/team.pub (fleet.yaml:7:3)", "`cosign sign --key KEY "+strings.TrimSuffix(image, ":1")+"@"+digest+"`")
	if _, why := l.VerifyImage(image, f.Signatures); why == nil || len(l.Images) > 0 {
		t.Errorf("locked %v", l.Images)
	}
	s.signTagged(t, "oci://"+image)
	if err := f.LockImages(t.Context(), []string{image, others, "not an image"}, l, false); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), chart.LockName)
	if err := l.Write(file); err != nil {
		t.Fatal(err)
	}
	read, err := chart.ReadLock(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(l, read); diff != "" || len(read.Images) != 1 || read.Images[0].Digest != digest {
		t.Errorf("read %v:\n%s", read.Images, diff)
	}

	// A tag that moves afterwards changes nothing, until somebody says so.
	anImage(t, address+"/team/tool:1")
	if err := f.LockImages(t.Context(), []string{image}, read, false); err != nil || read.Images[0].Digest != digest {
		t.Errorf("locked %v, %v", read.Images, err)
	}
	wantError(t, f.LockImages(t.Context(), []string{image}, read, true), "has no signature")

	// The rest needs no registry: neither by tag nor by digest.
	server.Close()
	pinned := strings.TrimSuffix(image, ":1") + "@" + digest
	for reference, want := range map[string]bool{image: true, pinned: true, image + "@" + digest: true, others: false} {
		if asked, why := read.VerifyImage(reference, f.Signatures); asked != want || why != nil {
			t.Errorf("%s: %v, %v", reference, asked, why)
		}
	}
	if err := f.LockImages(t.Context(), []string{pinned}, read, false); err != nil || len(read.Images) != 2 || read.Images[1].Reference != pinned {
		t.Errorf("locked %v, %v", read.Images, err)
	}
	_, why := read.VerifyImage(strings.Replace(pinned, digest, "sha256:"+strings.Repeat("1", 64), 1), f.Signatures)
	wantError(t, why, "is not in wheelhouse.lock")

	// What somebody changed in the lock, or signed with another key, is no good.
	read.Images[0].Digest = "sha256:" + strings.Repeat("1", 64)
	read.Images[0].Reference = image
	_, why = read.VerifyImage(image, f.Signatures)
	wantError(t, why, "has a signature of another digest")
	_, why = l.VerifyImage(image, newSigner(t).trusts(t, address+"/team"))
	wantError(t, why, "none by the key keys/team.pub", "wheelhouse.lock")
	write(t, file, []byte("charts: []\nimages: [{image: a}]\n"))
	_, err = chart.ReadLock(file)
	wantError(t, err, "images[0] (a) needs image and digest")
}

func TestABundleBringsTheSignaturesOfImages(t *testing.T) {
	site := chart.Shelf{Lock: &chart.Lock{}, Cache: chart.Cache{Dir: t.TempDir()}}
	image := chart.LockedImage{Image: chart.Image{Reference: "r/a:1", Digest: "sha256:" + strings.Repeat("1", 64)}, Proof: signature.Proof{Payload: "a", Signature: "b"}}
	b := &chart.Bundle{Files: map[string][]byte{}}
	if err := b.AddLocked(chart.Shelf{Lock: &chart.Lock{Images: []chart.LockedImage{image}}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.Unpack(site); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]chart.LockedImage{image}, site.Lock.Images); diff != "" {
		t.Error(diff)
	}
}
