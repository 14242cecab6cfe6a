package fleet

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// SOPSKey is the key under which SOPS leaves its notes in a file.
const SOPSKey = "sops"

// Opener decrypts values files; it has the keys.
type Opener interface {
	// Open decrypts the documents of a file in place, and returns the leaves that
	// were encrypted with the text that stood there. Errors are Problems.
	Open(file string, data []byte, documents []*yaml.Node) (map[*yaml.Node]string, error)
}

// isEncrypted reports whether SOPS wrote a file of values, which are keyed by
// chart.
func isEncrypted(documents []*yaml.Node) bool {
	return slices.ContainsFunc(documents, func(document *yaml.Node) bool {
		if document.Kind != yaml.MappingNode {
			return false
		}
		for i := 0; i+1 < len(document.Content); i += 2 {
			if document.Content[i].Value == SOPSKey && document.Content[i+1].Kind == yaml.MappingNode {
				return true
			}
		}
		return false
	})
}

// SealedLeaf is a value that was encrypted where it is written.
type SealedLeaf struct {
	Path   []string
	Leaf   any
	Origin Origin
}

// SealedLeaves lists the values that were encrypted, in order.
func (v *Value) SealedLeaves() []SealedLeaf { return v.sealedLeaves(nil) }

func (v *Value) sealedLeaves(path []string) []SealedLeaf {
	if v == nil {
		return nil
	}
	if v.Sealed != "" {
		return []SealedLeaf{{Path: path, Leaf: v.Leaf, Origin: v.Origin}}
	}
	var out []SealedLeaf
	for _, key := range v.Keys() {
		out = append(out, v.Fields[key].sealedLeaves(pathTo(path, key))...)
	}
	for i, item := range v.Items {
		out = append(out, item.sealedLeaves(pathTo(path, strconv.Itoa(i)))...)
	}
	return out
}

// Locked is PlainMap with what was encrypted as it stands in the file: whoever
// sees a digest of it cannot test guesses.
func (v *Value) Locked() map[string]any {
	return v.instead(func(leaf *Value) any { return leaf.Sealed })
}

// Replaced is PlainMap with another content for each value that was encrypted,
// in the order of SealedLeaves.
func (v *Value) Replaced(with func(i int, leaf any) any) map[string]any {
	i := -1
	return v.instead(func(leaf *Value) any {
		i++
		return with(i, leaf.Leaf)
	})
}

func (v *Value) instead(of func(*Value) any) map[string]any {
	out, _ := v.show(of).(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out
}

// shortestHidden is the length from which a text is looked for in messages;
// shorter ones stand in every sentence.
const shortestHidden = 4

// HideSealed removes from a message what was encrypted.
func (v *Value) HideSealed(message string) string { return HidingSealed(v)(message) }

// HidingSealed removes from messages what was encrypted in any of the values.
func HidingSealed(values ...*Value) func(message string) string {
	var forms []string
	for _, v := range values {
		for _, leaf := range v.SealedLeaves() {
			forms = append(forms, leaf.Forms()...)
		}
	}
	// The longest first: one may begin as another does.
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, form := range slices.Compact(forms) {
		pairs = append(pairs, form, Hidden)
	}
	return strings.NewReplacer(pairs...).Replace
}

// Forms are the ways in which a text shows the value: as it is, quoted, and in
// base64. Truth values and very short texts have none.
func (l SealedLeaf) Forms() []string {
	var text string
	switch leaf := l.Leaf.(type) {
	case string:
		text = leaf
	case float64:
		text = strconv.FormatFloat(leaf, 'f', -1, 64)
	}
	if len(text) < shortestHidden {
		return nil
	}
	forms := []string{text, strings.Trim(strconv.Quote(text), `"`), base64.StdEncoding.EncodeToString([]byte(text))}
	if quoted, err := json.Marshal(text); err == nil {
		forms = append(forms, strings.Trim(string(quoted), `"`))
	}
	return slices.Compact(forms)
}
