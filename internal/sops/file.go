package sops

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// sealedFile is a file while it is decrypted.
type sealedFile struct {
	name   string
	notes  notes
	key    cipher.Block
	sum    hash.Hash
	sealed map[*yaml.Node]string
}

// onlyEncrypted begins the sum of a file whose MAC covers the encrypted leaves
// alone, so that it never equals one over all. It is the SHA-256 of "sops".
const onlyEncrypted = "8a3fd2ad54ce66527b1034f3d147be0b0b975b3bf44f72c6fdadec8176f27d69"

const (
	changedFix = "restore it, or edit it with `sops edit`"
	changed    = "it was changed after it was encrypted, so it is not used"
)

// dropComments removes the comments within lists, which SOPS encrypts to items.
func dropComments(n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		n.Content = slices.DeleteFunc(n.Content, func(item *yaml.Node) bool {
			return isSealed(item) && strings.HasSuffix(item.Value, ",type:comment]")
		})
	}
	for _, below := range n.Content {
		dropComments(below)
	}
}

// decrypt opens every encrypted leaf and compares the sum over all leaves with
// the one that was made when the file was written.
func (f *sealedFile) decrypt(documents []*yaml.Node, key []byte, at *yaml.Node) (err error) {
	if f.key, err = aes.NewCipher(key); err != nil {
		return problem(f.name, at, "the key that it was encrypted with is damaged", changedFix)
	}
	f.sum = sha512.New()
	if f.notes.OnlyEncrypted {
		start, _ := hex.DecodeString(onlyEncrypted)
		f.sum.Write(start)
	}
	for _, document := range documents {
		if err := f.walk(document, ""); err != nil {
			return err
		}
	}
	// The sums are not shown: they are made of what was decrypted.
	wanted, _, err := f.open(f.notes.MAC, f.notes.Changed)
	if err != nil || wanted != strings.ToUpper(hex.EncodeToString(f.sum.Sum(nil))) {
		return problem(f.name, at, changed, changedFix)
	}
	return nil
}

// walk visits the leaves in order. The path, of keys only, is part of what the
// encryption of a leaf protects.
func (f *sealedFile) walk(n *yaml.Node, path string) error {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if err := f.walk(n.Content[i+1], path+n.Content[i].Value+":"); err != nil {
				return err
			}
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			if err := f.walk(item, path); err != nil {
				return err
			}
		}
	case yaml.AliasNode:
		return problem(f.name, n, "an encrypted file has no aliases", changedFix)
	case yaml.ScalarNode:
		return f.leaf(n, path)
	}
	return nil
}

func (f *sealedFile) leaf(n *yaml.Node, path string) error {
	if !isSealed(n) {
		if f.notes.OnlyEncrypted {
			return nil
		}
		text, err := summed(n)
		if err != nil {
			return problem(f.name, n, err.Error(), changedFix)
		}
		f.sum.Write(text)
		return nil
	}
	encrypted := n.Value
	text, kind, err := f.open(encrypted, path)
	if err == nil {
		err = fill(n, text, kind)
	}
	if err != nil {
		return problem(f.name, n, changed, changedFix)
	}
	f.sealed[n] = encrypted
	content, err := summed(n)
	f.sum.Write(content)
	return err
}

var sealedText = regexp.MustCompile(`^ENC\[AES256_GCM,data:([^,]*),iv:([^,]+),tag:([^,]+),type:([a-z]+)\]$`)

func isSealed(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && sealedText.MatchString(n.Value) }

// open decrypts one text, which is bound to its path. What is returned as error
// says nothing of the content.
func (f *sealedFile) open(encrypted, path string) (text, kind string, err error) {
	m := sealedText.FindStringSubmatch(encrypted)
	if m == nil {
		return "", "", errors.New("not encrypted")
	}
	var parts [3][]byte
	for i := range parts {
		if parts[i], err = base64.StdEncoding.DecodeString(m[i+1]); err != nil {
			return "", "", err
		}
	}
	data, nonce, tag := parts[0], parts[1], parts[2]
	gcm, err := cipher.NewGCMWithNonceSize(f.key, len(nonce))
	if err != nil {
		return "", "", err
	}
	plain, err := gcm.Open(nil, nonce, append(data, tag...), []byte(path))
	return string(plain), m[4], err
}

// fill puts what was decrypted into its node, of the type that it had. The type
// is not protected, so it may not fit.
func fill(n *yaml.Node, text, kind string) error {
	n.Style, n.Value = 0, text
	switch kind {
	case "str", "bytes":
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
		return nil
	case "int":
		n.Tag = "!!int"
		_, err := strconv.Atoi(text)
		return err
	case "float":
		n.Tag = "!!float"
		_, err := strconv.ParseFloat(text, 64)
		return err
	case "bool":
		n.Tag, n.Value = "!!bool", strings.ToLower(text)
		_, err := strconv.ParseBool(n.Value)
		return err
	case "time":
		n.Tag = "!!timestamp"
		_, err := time.Parse(time.RFC3339, text)
		return err
	default:
		return errors.New("of no known type")
	}
}

// summed is a leaf as SOPS feeds it into the sum.
func summed(n *yaml.Node) ([]byte, error) {
	var leaf any
	if err := n.Decode(&leaf); err != nil {
		return nil, errors.New("it is not what its type says")
	}
	switch v := leaf.(type) {
	case nil:
		return nil, nil
	case string:
		return []byte(v), nil
	case int:
		return strconv.AppendInt(nil, int64(v), 10), nil
	case float64:
		return strconv.AppendFloat(nil, v, 'f', -1, 64), nil
	case bool:
		if v {
			return []byte("True"), nil
		}
		return []byte("False"), nil
	case time.Time:
		return v.MarshalText()
	default:
		return nil, fmt.Errorf("SOPS writes no value of type %s", n.ShortTag())
	}
}

// take copies the leaves that were encrypted out of the file as the program
// decrypted it, so that they keep their places.
func (f *sealedFile) take(documents []*yaml.Node, decrypted []byte) error {
	decoder := yaml.NewDecoder(bytes.NewReader(decrypted))
	for _, document := range documents {
		var plain yaml.Node
		err := decoder.Decode(&plain)
		if errors.Is(err, io.EOF) || err == nil && len(plain.Content) != 1 {
			return problem(f.name, document, "the program sops returned fewer documents than the file has", "")
		}
		if err != nil {
			return problem(f.name, document, "the program sops returned what is not YAML", "")
		}
		if err := f.copyLeaves(document, plain.Content[0]); err != nil {
			return err
		}
	}
	return nil
}

func (f *sealedFile) copyLeaves(n, plain *yaml.Node) error {
	if isSealed(n) && plain.Kind == yaml.ScalarNode {
		f.sealed[n] = n.Value
		n.Value, n.Tag, n.Style = plain.Value, plain.Tag, plain.Style
		return nil
	}
	if n.Kind != plain.Kind || len(n.Content) != len(plain.Content) {
		return problem(f.name, n, "the program sops returned something of another shape", "")
	}
	for i := range n.Content {
		if err := f.copyLeaves(n.Content[i], plain.Content[i]); err != nil {
			return err
		}
	}
	return nil
}
