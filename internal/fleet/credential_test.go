package fleet

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Tokens are put together here, so that scanners of source code keep quiet.
var (
	github  = "ghp_" + strings.Repeat("aB3", 12)
	face    = "hf_" + strings.Repeat("aBcDeF", 6)
	nvapi   = "nvapi-" + strings.Repeat("aB3-", 16)
	jwt     = "eyJ" + strings.Repeat("a", 20) + ".eyJ" + strings.Repeat("b", 20) + "." + strings.Repeat("c", 20)
	pemKey  = "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
	pemCert = "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----\n"
	docker  = `{"auths":{"nvcr.io":{"auth":"` + base64.StdEncoding.EncodeToString([]byte("u:p")) + `"}}}`
)

func inBase64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestCredentialsAreRecognised(t *testing.T) {
	for _, test := range []struct{ name, text, path, why string }{
		{"a password", "auth: {password: hunter2}", "auth.password", "a password"},
		{"a number as a password", "redis: {password: 1234}", "redis.password", "a password"},
		{"in another case", "adminPassword: x", "adminPassword", "a password"},
		{"a constant", "DB_PASSWORD: x", "DB_PASSWORD", "a password"},
		{"with dashes", "root-passwd: x", "root-passwd", "a password"},
		{"a passphrase", "keyPassphrase: x y z", "keyPassphrase", "a password"},
		{"a token", "hfToken: abc", "hfToken", "a token"},
		{"a capital token", "HF_TOKEN: abc", "HF_TOKEN", "a token"},
		{"a secret key", "s3: {secretKey: abcDEF123}", "s3.secretKey", "a key"},
		{"a lower secret key", "s3: {secretKey: minioadmin}", "s3.secretKey", "a key"},
		{"an AWS secret", "secretAccessKey: wJalrXUtnFEMI/K7MDENG", "secretAccessKey", "a key"},
		{"an API key", "apiKey: abc", "apiKey", "a key"},
		{"a capital API key", "NGC_API_KEY: abc", "NGC_API_KEY", "a key"},
		{"several API keys", "apiKeys: [abc]", "apiKeys.0", "a key"},
		{"a private key by name", "privateKey: abcdef", "privateKey", "a key"},
		{"a client secret", "oidc: {clientSecret: abcdef}", "oidc.clientSecret", "a secret"},
		{"a secret that is no name", "secret: 'aB3$x'", "secret", "a secret"},
		{"credentials", "credentials: 'user:Pa55'", "credentials", "credentials"},
		{"an environment variable", "env: [{name: HF_TOKEN, value: abc}]", "env.0.value", "a token"},
		{"a flag", "args: [--port=80, --hf-token=abc]", "args.1", "a token"},
		{"a flag of two", "args: [--api-key, abc]", "args.1", "a key"},
		{"a whole Secret", "extraObjects: [{kind: Secret, stringData: {a: b}}]", "extraObjects.0.stringData.a", "the content of a Secret"},
		{"registry login", "auths: {nvcr.io: {auth: abc}}", "auths.nvcr\\.io.auth", "a registry's credentials"},
		{"docker's file", "x: '" + docker + "'", "x", "a registry's credentials"},
		{"docker's file in base64", "x: " + inBase64(docker), "x", "a registry's credentials in base64"},
		{"docker's key", ".dockerconfigjson: abc", `\.dockerconfigjson`, "a registry's credentials"},
		{"a private key", "tls:\n  server: |\n    " + strings.ReplaceAll(pemKey, "\n", "\n    "), "tls.server", "a private key"},
		{"a private key in base64", "x: " + inBase64(pemKey), "x", "a private key in base64"},
		{"a GitHub token anywhere", "note: use " + github + " here", "note", "a GitHub token"},
		{"a Hugging Face token", "x: " + face, "x", "a Hugging Face token"},
		{"an NVIDIA key", "x: " + nvapi, "x", "an NVIDIA API key"},
		{"an AWS key", "x: AKIA" + strings.Repeat("A2", 8), "x", "an AWS access key"},
		{"a web token", "x: " + jwt, "x", "a web token"},
		{"an authorization", "header: Bearer abcdef0123456789abc", "header", "an HTTP authorization"},
		{"a login", "header: Basic " + inBase64("user:secret"), "header", "an HTTP authorization"},
		{"a URL", "natsAddr: nats://user:pass@nats:4222", "natsAddr", "a URL with a password"},
		{"a database", "dsn: postgres://u:p@db:5432/x", "dsn", "a URL with a password"},
		{"a connection", "dsn: Server=db;User=x;Password=abc", "dsn", "a password"},
		{"a query", "url: https://x.example.com/?token=abc", "url", "a token"},
		{"a token in a file", "script: |\n  export A=1\n  curl -H 'x' " + github + "\n", "script", "a GitHub token"},
		{"in lists of lists", "a: [[{password: x}]]", "a.0.0.password", "a password"},
	} {
		t.Run(test.name, func(t *testing.T) {
			found := Credentials(values(t, LayerFleet, test.text))
			if len(found) != 1 || JoinPath(found[0].Path...) != test.path || found[0].Why != test.why {
				t.Fatalf("found %+v, want %s at %s", found, test.why, test.path)
			}
			if found[0].Origin.Line == 0 {
				t.Error("without a line")
			}
		})
	}
}

func TestWhatIsNoCredential(t *testing.T) {
	for _, text := range []string{
		"existingSecret: redis-auth", "existingSecretName: x", "existingSecretPasswordKey: redis-password", "secretName: tls",
		"imagePullSecrets: [regcred]", "imagePullSecrets: [{name: regcred}]", "pullSecret: regcred", "secret: my-secret", "tlsSecret: my-tls",
		"authSecret: my-auth", "credentials: my-credentials", "credentialsSecretRef: s3-credentials", "passwordSecret: x", "passwordKey: redis-password",
		"passwordFile: /etc/x", "password: ''", "password: null", "password: $(PASSWORD)", "password: ${PASSWORD}", "password: '{{ .Values.x }}'",
		"password: /run/secrets/password", "password: file:/x", "password: ref+vault://x", "token: <your token>", "tokenReview: abc",
		"automountServiceAccountToken: false", "automountServiceAccountToken: 'false'", "tokenExpirationSeconds: 3600", "maxTokens: 4096",
		"max_tokens: 4096", "eosToken: </s>", "eos_token: '<|end|>'", "padToken: x", "stopTokens: [a]", "tokenizer: x", "TOKENIZERS_PARALLELISM: 'false'",
		"secretKeyRef: {name: x, key: password}", "valueFrom: {secretKeyRef: {name: x, key: token}}", "env: [{name: HF_TOKEN, valueFrom: {secretKeyRef: {name: x, key: HF_TOKEN}}}]",
		"auth: {existingSecret: redis, secretKey: redis-password}", "auth: {secretName: redis, apiKey: api_key}", "tls: {privateKey: tls.key}",
		"publicKey: abc", "accessKeyID: x", "key: abc", "keys: [a, b]", "sshKeygen: {enabled: true}", "kmsKey: projects/x", "partitionKey: abc",
		"auth: {enabled: true}", "auth: {type: token}", "authentication: token", "secretRef: x", "secrets: [a, b]", "secretStore: vault",
		"cert: |\n  " + strings.ReplaceAll(pemCert, "\n", "\n  "), "caBundle: " + inBase64(pemCert), "url: https://example.com/x?a=b",
		"repo: ssh://git@github.com/x", "natsAddr: nats://nats.svc:4222", "natsAddr: nats://$(USER):$(PASSWORD)@nats:4222", "image: repo@sha256:" + strings.Repeat("ab", 32),
		"args: [--model, x, --max-model-len=4096, --token-file=/x]", "args: ['--hf-token=$(HF_TOKEN)']", "args: [--api-key, $(KEY)]", "args: [--trust-remote-code, --enable-token]",
		"note: bearer authentication-based access", "note: basic authentication is off", "note: the password is in the Secret", "session: {cookie: x}",
		"kind: Secret\nname: x", "extraObjects: [{kind: Secret, metadata: {name: x}}]", "extraObjects: [{kind: ConfigMap, data: {a: b}}]",
		"serviceAccount: {token: {}}", "token: auto", "token: true", "secret: false", "x: disk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "clientSecretName: x",
		"webhook: {certificateSecret: {name: webhook-server-cert}}", "mpiRun: {secretName: mpi-run-ssh-secret}", "annotations: {example.com/token-review: x}",
		"password: x # not a credential", "# not a credential\npassword: x", "args:\n- --api-key=x # not a credential: the key of a map",
	} {
		t.Run(text, func(t *testing.T) {
			if found := Credentials(values(t, LayerFleet, text)); len(found) > 0 {
				t.Errorf("taken for %s", found[0].Why)
			}
		})
	}
}

// No default of our charts and no profile may be taken for a credential, nor
// may any key be one in disguise when it holds the name of an object.
func TestKeysOfOurChartsAreNoCredentials(t *testing.T) {
	keys := 0
	files := []string{"../../charts/crds/values.yaml", "../../charts/platform/values.yaml", "../../charts/platform/components/operator/values.yaml", "../../charts/chrek/values.yaml"}
	profiles, err := filepath.Glob("../../charts/profiles/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, profiles...) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		v, err := ParseValues(file, LayerDefaults, data)
		if err != nil {
			t.Fatal(err)
		}
		for _, found := range Credentials(v) {
			t.Errorf("%s: %s looks like %s", found.Origin, JoinPath(found.Path...), found.Why)
		}
		for _, leaf := range Explain(v, "") {
			keys++
			path := SplitPath(leaf.Path)
			if leaf.Path == "" {
				continue
			}
			named := NewMap(Origin{}).Put(NewScalar("some-object", Origin{}), path...)
			for _, found := range Credentials(named) {
				t.Errorf("%s: %s looks like %s when it names an object", file, leaf.Path, found.Why)
			}
		}
	}
	if keys < 150 {
		t.Errorf("only %d keys were looked at", keys)
	}
}

func TestCredentialsAreNeverShown(t *testing.T) {
	v := Effective(
		values(t, LayerDefaults, "db: {password: default}\n"),
		MergeAll(values(t, LayerFleet, "db: {password: hunter2, user: u}\n"), values(t, LayerPlatform, "db: {password: hunter3}\nargs: [--api-key=hunter4, x]\n")),
	)
	want := map[string]any{"db": map[string]any{"password": Hidden, "user": "u"}, "args": []any{Hidden, "x"}}
	if diff := cmp.Diff(want, v.Shown()); diff != "" {
		t.Error(diff)
	}
	if got := v.At("db", "password").Plain(); got != "hunter3" {
		t.Errorf("Helm is given %v", got)
	}
	for _, leaf := range Explain(v, "db.password") {
		if leaf.Value != Hidden || len(leaf.Overrode) != 2 || leaf.Overrode[0].Value != Hidden || leaf.Overrode[1].Value != Hidden {
			t.Errorf("%+v", leaf)
		}
	}
	overridden := Credentials(v)
	if len(overridden) != 4 {
		t.Errorf("found %+v", overridden)
	}
	if got := v.At("db", "password").Shown("db", "password"); got != Hidden {
		t.Errorf("shown alone: %v", got)
	}
}
