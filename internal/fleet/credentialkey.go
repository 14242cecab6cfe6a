package fleet

import (
	"regexp"
	"strings"
	"unicode"
)

// secretKey says what a value is by the name of its key, "" if nothing secret.
// beside is the map that holds the key, or nil.
func secretKey(key string, value any, beside map[string]any) string {
	before, last := ending(key)
	text := literal(value)
	_, isText := value.(string)
	switch {
	case text == "":
		return ""
	case passwordWords[last]:
		return "a password"
	case isText:
		return secretText(before, last, text, beside)
	}
	return ""
}

// secretText says what a text is by the last two words of its key.
func secretText(before, last, text string, beside map[string]any) string {
	switch last {
	case "token":
		if !modelTokens[before] && !harmless[strings.ToLower(text)] {
			return "a token"
		}
	case "secret":
		if (secretOf[before] || !objectName.matches(text)) && !harmless[strings.ToLower(text)] {
			return "a secret"
		}
	case "key":
		if (keyOf[before] || before == "access" && !objectName.matches(text)) && !referenced(text, beside) {
			return "a key"
		}
	case "credential", "credentials", "creds":
		if !objectName.matches(text) {
			return "credentials"
		}
	case "dockerconfigjson", "dockercfg":
		return "a registry's credentials"
	case "htpasswd":
		if strings.Contains(text, ":") {
			return "a password"
		}
	}
	return ""
}

var (
	passwordWords = set("password", "passwd", "pwd", "passphrase", "passcode")
	// modelTokens are words that make a token one of a language model.
	modelTokens = set("bos", "eos", "pad", "unk", "sep", "cls", "mask", "stop", "special", "image", "video", "audio",
		"start", "end", "begin", "max", "min", "think", "tool", "reasoning", "prompt", "page", "next", "continue")
	// secretOf and keyOf are words that make a secret or key one that is used,
	// and not the name of an object.
	secretOf = set("client", "shared", "jwt", "session", "app", "signing", "oauth", "oauth2", "cookie", "consumer", "hmac", "api", "encryption", "access")
	keyOf    = set("api", "private", "secret", "encryption", "signing", "master", "ssh", "rsa", "account", "apikey", "license")
	// harmless values switch something, and are no secrets.
	harmless = set("true", "false", "auto", "none", "null", "default", "enabled", "disabled", "required", "optional")
	// fileLike is an entry of a Secret, or a file.
	fileLike = regexp.MustCompile(`^[\w.-]+\.(key|pem|crt|cert|p12|jks|json|txt)$`)
	// elsewhere is a value that says where the secret is, in the syntax of shells,
	// Kubernetes, templates, and tools that resolve references.
	elsewhere = regexp.MustCompile(`^(/|\./|~/|\$|file:|ref\+|secretref[+:]|vault:|op://|aws-sm://|gcp-sm://|env:|ENC\[)|\{\{|^<[^>]*>$`)
)

// referenced: a key beside a Secret's name is the name of its entry.
func referenced(text string, beside map[string]any) bool {
	if fileLike.MatchString(text) {
		return true
	}
	if !objectName.matches(strings.ToLower(strings.ReplaceAll(text, "_", "-"))) {
		return false
	}
	for key, value := range beside {
		words := words(key)
		if len(words) == 0 || literal(value) == "" {
			continue
		}
		switch words[len(words)-1] {
		case "name", "secret", "ref":
			return true
		}
	}
	return false
}

// literal is the text of a scalar that is a value itself: not empty, and no
// reference to a place that has it. Truth values are none.
func literal(value any) string {
	switch v := value.(type) {
	case string:
		if text := strings.TrimSpace(v); !strings.HasPrefix(text, "(hidden") && !elsewhere.MatchString(text) {
			return text
		}
	case float64, int, int64:
		return "number"
	}
	return ""
}

// words splits a key: nvidia.com/hfToken, HF_TOKEN and hf-token end in "token".
func words(key string) []string {
	if i := strings.LastIndexByte(key, '/'); i >= 0 {
		key = key[i+1:]
	}
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	letters := []rune(key)
	for i, r := range letters {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(letters[i-1]) || i+1 < len(letters) && unicode.IsLower(letters[i+1])):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return out
}

// ending are the last two words of a key, "" where it has fewer.
func ending(key string) (before, last string) {
	all := append([]string{"", ""}, words(key)...)
	return all[len(all)-2], all[len(all)-1]
}

func set(words ...string) map[string]bool {
	out := make(map[string]bool, len(words))
	for _, word := range words {
		out[word] = true
	}
	return out
}
