package report

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// grouped collects what is to be said of things in namespaces, and says once
// what is the same but for the namespace.
type grouped struct {
	order []string
	of    map[string]*group
}

type group struct {
	name string
	// first is what was said of the first of them, in its own words.
	first      string
	namespaces []string
	// general is what was said of all, without the namespace.
	general string
}

func (g *grouped) add(namespace, name, text string) {
	text = strings.TrimSpace(Clean(text))
	general := withoutNamespace(text, namespace)
	key := name + "\x00" + general
	if g.of == nil {
		g.of = map[string]*group{}
	}
	at := g.of[key]
	if at == nil {
		at = &group{name: name, first: text, general: general}
		g.of[key] = at
		g.order = append(g.order, key)
	}
	if !slices.Contains(at.namespaces, namespace) {
		at.namespaces = append(at.namespaces, namespace)
	}
}

// podSuffix is what a ReplicaSet makes up for a pod's name.
var podSuffix = regexp.MustCompile(`(\bpod [a-z0-9.-]+)-[a-z0-9]{6,10}-[a-z0-9]{5}\b`)

// withoutNamespace replaces the namespace where it is a word, and what was made
// up for a pod's name.
func withoutNamespace(text, namespace string) string {
	if namespace != "" {
		text = wholeWord(text, namespace, "NAMESPACE")
	}
	return podSuffix.ReplaceAllString(text, "$1-…")
}

// wholeWord replaces a word that no letter, digit or dash continues.
func wholeWord(text, word, by string) string {
	var b strings.Builder
	for {
		i := strings.Index(text, word)
		if i < 0 {
			b.WriteString(text)
			return b.String()
		}
		end := i + len(word)
		if i > 0 && nameByte(text[i-1]) || end < len(text) && nameByte(text[end]) {
			b.WriteString(text[:end])
		} else {
			b.WriteString(text[:i] + by)
		}
		text = text[end:]
	}
}

func nameByte(c byte) bool {
	return c == '-' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func (g *grouped) lines() []string {
	var out []string
	for _, key := range g.order {
		at := g.of[key]
		if n := len(at.namespaces); n > 1 {
			out = append(out, fmt.Sprintf("%s in %d namespaces (%s): %s", at.name, n, few(at.namespaces), at.general))
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s", joined(at.namespaces[0], at.name), at.first))
	}
	return out
}

// joined is NAMESPACE/NAME, with the kind in front where the name has one.
func joined(namespace, name string) string {
	kind, rest, found := strings.Cut(name, " ")
	switch {
	case namespace == "":
		return name
	case found:
		return kind + " " + namespace + "/" + rest
	default:
		return namespace + "/" + name
	}
}
