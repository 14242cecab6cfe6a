package fleet

import (
	"encoding/base64"
	"regexp"
	"strings"
	"sync"
)

// shapes are what credentials look like wherever they stand. Each pattern has
// a part that a plain search finds fast.
var shapes = []struct {
	why, part string
	pattern   func() *regexp.Regexp
}{
	{"a private key", "PRIVATE KEY", lazily(`-----BEGIN [A-Z0-9 ]*PRIVATE KEY( BLOCK)?-----`)},
	{"a private key", "AGE-SECRET-KEY-", lazily(`\bAGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{20,}`)},
	{"a client key of a kubeconfig", "client-key-data", lazily(`client-key-data"?\s*:\s*"?[A-Za-z0-9+/=]{20,}`)},
	{"a registry's credentials", `"auths"`, lazily(`"(auth|password|identitytoken)"\s*:\s*"[^"]+"`)},
	{"a URL with a password", "://", lazily(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@?#"']*:([^\s/@?#"']+)@`)},
	{"an HTTP authorization", "earer ", lazily(`\b[Bb]earer ([A-Za-z0-9._~+/-]{16,}=*)`)},
	{"an HTTP authorization", "asic ", lazily(`\b[Bb]asic ([A-Za-z0-9+/]{8,}={0,2})`)},
	{"a GitHub token", "gh", lazily(`\b(gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,})`)},
	{"a GitLab token", "gl", lazily(`\bgl(pat|dt|rt|ptt|agent)-[A-Za-z0-9_-]{18,}`)},
	{"a Hugging Face token", "hf_", lazily(`\bhf_[A-Za-z0-9]{30,}`)},
	{"an NVIDIA API key", "nvapi-", lazily(`\bnvapi-[A-Za-z0-9_-]{40,}`)},
	{"an API key", "sk-", lazily(`\bsk-[A-Za-z0-9_-]{20,}`)},
	{"an API key", "sk_live_", lazily(`\b[rs]k_live_[A-Za-z0-9]{16,}`)},
	{"an AWS access key", "A", lazily(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`)},
	{"a Google API key", "AIza", lazily(`\bAIza[A-Za-z0-9_-]{35}`)},
	{"a Slack token", "xox", lazily(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`)},
	{"an npm token", "npm_", lazily(`\bnpm_[A-Za-z0-9]{36}`)},
	{"a PyPI token", "pypi-", lazily(`\bpypi-[A-Za-z0-9_-]{50,}`)},
	{"a Docker token", "dckr_", lazily(`\bdckr_(pat|oat)_[A-Za-z0-9_-]{20,}`)},
	{"a Vault token", "hv", lazily(`\bhv[sbr]\.[A-Za-z0-9_-]{20,}`)},
	{"a web token", "eyJ", lazily(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`)},
}

// lazily compiles a pattern when a text has its part, which is rare.
func lazily(pattern string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })
}

// assignment is a secret in a command line or connection string.
var assignment = regexp.MustCompile(`(?i)([a-z][a-z0-9_-]*)=([^\s;&,"']+)`)

// shape says what a text looks like by itself, "" if like nothing secret.
func shape(text string) string {
	for _, s := range shapes {
		if !strings.Contains(text, s.part) {
			continue
		}
		if m := s.pattern().FindStringSubmatch(text); m != nil && confirmed(s.part, m) {
			return s.why
		}
	}
	if !strings.Contains(text, "=") {
		return ""
	}
	for _, m := range assignment.FindAllStringSubmatch(text, -1) {
		if why := secretKey(m[1], m[2], nil); why != "" && why != "a secret" {
			return why
		}
	}
	return ""
}

// confirmed tells what only reads like a credential: a reference in a URL,
// prose about authorization.
func confirmed(part string, match []string) bool {
	switch part {
	case "://":
		return !elsewhere.MatchString(match[1])
	case "earer ":
		return strings.ContainsAny(match[1], "0123456789")
	case "asic ":
		decoded, err := base64.StdEncoding.DecodeString(match[1])
		return err == nil && strings.Contains(string(decoded), ":")
	default:
		return true
	}
}
