package sops_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/sops"
)

// The files in testdata were encrypted by SOPS 3.13.3. What was secret in them:
var secrets = []string{"rhubarb-41-crumble", "gooseberry-fool-9", "plum-jam"}

// disk is a fleet of one platform that names the values files of a test.
type disk map[string]string

func (d disk) Read(path string) ([]byte, error) {
	if text, ok := d[path]; ok {
		return []byte(text), nil
	}
	return os.ReadFile(filepath.Join("testdata", path))
}

func (d disk) Glob(string) ([]string, error) { return nil, nil }

// resolve reads a fleet whose platform has the values.
func resolve(d disk, values string) (*fleet.Value, error) {
	d["fleet.yaml"] = "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec:\n  platforms: [{namespace: a, values: [" + values + "]}]\n"
	f, err := fleet.Load(d, "fleet.yaml", "")
	if err != nil {
		return nil, err
	}
	set, err := fleet.Resolve(f, fleet.Input{Files: d, Opener: sops.NewOpener(), Profiles: fstest.MapFS{}})
	if err != nil {
		return nil, err
	}
	return set.Platforms()[0].Values.Field("queue"), nil
}

func mustResolve(t *testing.T, d disk, values string) *fleet.Value {
	t.Helper()
	v, err := resolve(d, values)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// noKeys hides the keys of whoever runs the test.
func noKeys(t *testing.T) {
	t.Helper()
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "GNUPGHOME", "PATH"} {
		t.Setenv(name, t.TempDir())
	}
	for _, name := range []string{"SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_FILE"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
}

func withKey(t *testing.T) {
	t.Helper()
	noKeys(t)
	t.Setenv("SOPS_AGE_KEY_FILE", "testdata/key.txt")
}

// What the file says, when everything in it is encrypted.
var all = map[string]any{
	"password": "rhubarb-41-crumble", "port": 5432.0, "ratio": 0.25, "large": 1234567.0, "enabled": true, "answer": "yes",
	"since": "2024-05-01T10:00:00Z", "empty": "", "nothing": nil, "note": "two\nlines: \"quoted\"\n",
	"users": []any{map[string]any{"name": "ada", "token": "gooseberry-fool-9"}, "plum-jam"},
}

func TestEveryTypeIsDecrypted(t *testing.T) {
	withKey(t)
	v := mustResolve(t, disk{}, "all.yaml")
	if diff := cmp.Diff(all, v.Plain()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if leaves := v.SealedLeaves(); len(leaves) != 11 {
		t.Errorf("%d values are hidden, want the 11 that were encrypted: %v", len(leaves), leaves)
	}
}

func TestWhatIsHiddenKeepsItsPlaceInTheEncryptedFile(t *testing.T) {
	withKey(t)
	leaves := fleet.Explain(mustResolve(t, disk{}, "all.yaml"), "password")
	want := fleet.Origin{File: "all.yaml", Line: 4, Column: 9, Layer: fleet.LayerPlatform}
	if len(leaves) != 1 || leaves[0].Value != fleet.Hidden || leaves[0].Origin != want {
		t.Errorf("got %+v, want a hidden value from %s", leaves, want)
	}
}

func TestOnlyWhatIsEncryptedIsHidden(t *testing.T) {
	withKey(t)
	auth := map[string]any{"user": fleet.Hidden, "password": fleet.Hidden}
	for file, hidden := range map[string]any{
		"regex.yaml": map[string]any{"user": "ada", "password": fleet.Hidden}, "mac-only.yaml": auth, "comment.yaml": auth,
	} {
		v := mustResolve(t, disk{}, file)
		if got := v.At("auth", "password").Plain(); got != "rhubarb-41-crumble" {
			t.Errorf("%s: the password is %v", file, got)
		}
		want := map[string]any{"address": "queue.example.com", "port": 5432.0, "auth": hidden}
		if diff := cmp.Diff(want, v.Shown()); diff != "" {
			t.Errorf("%s (-want +got)\n%s", file, diff)
		}
	}
}

func TestSeveralDocuments(t *testing.T) {
	withKey(t)
	f, err := fleet.Parse("f.yaml", []byte("apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: f}\nspec: {values: [documents.yaml], platforms: [{namespace: a}]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	set, err := fleet.Resolve(f, fleet.Input{Files: disk{}, Opener: sops.NewOpener(), Profiles: fstest.MapFS{}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"first": "rhubarb-41-crumble", "second": "gooseberry-fool-9"}
	values := set.Platforms()[0].Overrides
	if got := map[string]any{"first": values.Field("first").Plain(), "second": values.Field("second").Plain()}; !cmp.Equal(want, got) {
		t.Error(cmp.Diff(want, got))
	}
}

func TestKeyringOfGnuPG(t *testing.T) {
	noKeys(t)
	home, err := filepath.Abs("testdata/gnupg")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GNUPGHOME", home)
	if got := mustResolve(t, disk{}, "pgp.yaml").At("auth", "password").Plain(); got != "rhubarb-41-crumble" {
		t.Errorf("the password is %v", got)
	}
}

func TestOverriddenInBothDirections(t *testing.T) {
	withKey(t)
	d := disk{"plain.yaml": "platform: {queue: {auth: {user: eve, password: {from: elsewhere}}}}\n"}
	for _, order := range []string{"regex.yaml, plain.yaml", "plain.yaml, regex.yaml", "plain.yaml, comment.yaml, all.yaml, regex.yaml"} {
		leaves := fmt.Sprintf("%+v", fleet.Explain(mustResolve(t, d, order), ""))
		mustNotSay(t, leaves)
		if !strings.Contains(leaves, fleet.Hidden) || !strings.Contains(leaves, "regex.yaml:7:") {
			t.Errorf("%s: the hidden value is not mentioned with its place: %s", order, leaves)
		}
	}
}

func TestDigestsSayNothingAboutWhatIsEncrypted(t *testing.T) {
	withKey(t)
	locked := fmt.Sprint(mustResolve(t, disk{}, "regex.yaml").Locked())
	mustNotSay(t, locked)
	if !strings.Contains(locked, "queue.example.com") || !strings.Contains(locked, "ENC[AES256_GCM") {
		t.Errorf("want what is plain, and the encrypted text: %s", locked)
	}
}

func TestWithoutTheRightKey(t *testing.T) {
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]string{"no key": "", "another key": other.String()} {
		t.Run(name, func(t *testing.T) {
			noKeys(t)
			if key != "" {
				t.Setenv("SOPS_AGE_KEY", key)
			}
			_, err := resolve(disk{}, "regex.yaml")
			wantError(t, err, "regex.yaml:8:1: no key at hand decrypts it; it is encrypted for age age1u6mhjkqeupg29vp64mn3utyxlvj6y975jht284mtx9xyyxxmlp7sa2hn24",
				"SOPS_AGE_KEY_FILE")
			if key != "" && strings.Contains(err.Error(), key) {
				t.Error("the error shows the key")
			}
		})
	}
}

func TestTamperedFilesAreRefused(t *testing.T) {
	withKey(t)
	data, err := os.ReadFile("testdata/regex.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	_, sealed, _ := strings.Cut(text, "ENC[")
	sealed, _, _ = strings.Cut("ENC["+sealed, "\n")
	for name, changed := range map[string]string{
		"a plain value":                   strings.Replace(text, "queue.example.com", "evil.example.com", 1),
		"a value that was left out":       strings.Replace(text, "        port: 5432\n", "", 1),
		"an encrypted value made plain":   strings.Replace(text, sealed, "known", 1),
		"an encrypted value moved":        strings.Replace(text, "user: ada", "user: "+sealed, 1),
		"another type":                    strings.Replace(text, sealed, strings.Replace(sealed, "type:str", "type:int", 1), 1),
		"a value declared a comment":      strings.Replace(text, sealed, strings.Replace(sealed, "type:str", "type:comment", 1), 1),
		"another time":                    strings.Replace(text, `lastmodified: "2026`, `lastmodified: "2027`, 1),
		"another range of the MAC":        strings.Replace(text, "    version:", "    mac_only_encrypted: true\n    version:", 1),
		"no MAC":                          strings.Replace(text, "    mac:", "    was:", 1),
		"a MAC that was never one":        strings.Replace(text, "    mac: ENC", "    mac: XYZ", 1),
		"an encrypted value as its alias": strings.Replace(text, "user: ada", "user: &x ada\n            more: *x", 1),
	} {
		t.Run(name, func(t *testing.T) {
			if changed == text {
				t.Fatal("nothing was changed")
			}
			_, err := resolve(disk{"changed.yaml": changed}, "changed.yaml")
			wantError(t, err, "changed.yaml:", "restore")
		})
	}
}

// A key of a cloud is the business of the program sops. Here it is a script that
// prints what the program printed.
func TestOtherKeysAreLeftToTheProgram(t *testing.T) {
	noKeys(t)
	_, err := resolve(disk{}, "cloud.yaml")
	wantError(t, err, "cloud.yaml:19:1: it is encrypted for AWS KMS arn:aws:kms:eu-central-1:111122223333:key/7a1c", "install the program sops")

	bin := t.TempDir()
	plain, err := filepath.Abs("testdata/all.plain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	program := func(script string) {
		if err := os.WriteFile(filepath.Join(bin, "sops"), []byte("#!/bin/sh\n"+script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	program(`test "$1" = decrypt && grep -q arn:aws:kms && cat "` + plain + `"`)
	v := mustResolve(t, disk{}, "cloud.yaml")
	if diff := cmp.Diff(all, v.Plain()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	mustNotSay(t, fmt.Sprint(v.Shown()))

	program("echo no credentials >&2; exit 128")
	_, err = resolve(disk{}, "cloud.yaml")
	wantError(t, err, "could not decrypt it: no credentials")
	program("echo 'platform: {queue: {password: rhubarb-41-crumble}}'")
	_, err = resolve(disk{}, "cloud.yaml")
	wantError(t, err, "something of another shape")
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error should say %q:\n%v", part, err)
		}
	}
	mustNotSay(t, err.Error())
}

func mustNotSay(t *testing.T, text string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			t.Errorf("shows %q:\n%s", secret, text)
		}
	}
}
