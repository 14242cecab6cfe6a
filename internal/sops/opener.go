// Package sops opens values files that SOPS encrypted. Finding a key is the
// business of the SOPS library, which looks where SOPS users keep theirs; the
// format of the file, which the library does not offer without the client
// libraries of every cloud, is read here.
package sops

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Opener decrypts files with the keys that the environment has.
type Opener struct {
	// keys remembers the data keys of files by what is unique to each, so that a
	// file that is read twice asks for a passphrase once.
	keys map[string][]byte
}

var _ fleet.Opener = &Opener{}

// NewOpener returns an opener that has not asked for any key yet.
func NewOpener() *Opener { return &Opener{keys: map[string][]byte{}} }

// Open decrypts the documents of one file in place, verifies that nobody changed
// them, and returns the leaves that were encrypted with the text that stood
// there. Errors are Problems, and never repeat what was decrypted.
func (o *Opener) Open(file string, data []byte, documents []*yaml.Node) (map[*yaml.Node]string, error) {
	notes, at, err := takeNotes(documents)
	if err != nil {
		return nil, problem(file, at, err.Error(), "restore the file from before it was changed")
	}
	for _, document := range documents {
		dropComments(document)
	}
	f := &sealedFile{name: file, notes: notes, sealed: map[*yaml.Node]string{}}
	if !notes.openHere() {
		decrypted, err := byProgram(data)
		if err != nil {
			return nil, problem(file, at, fmt.Sprintf("it is encrypted for %s: %v", notes.recipients(), err), "")
		}
		return f.sealed, f.take(documents, decrypted)
	}
	key, known := o.keys[notes.MAC]
	if !known {
		if key, err = notes.dataKey(); err != nil {
			return nil, problem(file, at, fmt.Sprintf("no key at hand decrypts it; it is encrypted for %s (%v)", notes.recipients(), err),
				"give the age key in SOPS_AGE_KEY_FILE or SOPS_AGE_KEY, or the secret key to GnuPG, as for `sops decrypt`")
		}
		o.keys[notes.MAC] = key
	}
	return f.sealed, f.decrypt(documents, key, at)
}

// problem is about the file as a whole if it points at the notes.
func problem(file string, at *yaml.Node, says, fix string) error {
	p := fleet.Problem{Origin: fleet.Origin{File: file, Line: 1, Column: 1}, Message: says, Fix: fix}
	if at != nil {
		p.Origin.Line, p.Origin.Column = at.Line, at.Column
	}
	return fleet.Problems{p}
}

// notes is what SOPS leaves in a file for whoever decrypts it.
type notes struct {
	Age []struct {
		Recipient string `yaml:"recipient"`
		Key       string `yaml:"enc"`
	} `yaml:"age"`
	PGP []struct {
		Fingerprint string `yaml:"fp"`
		Key         string `yaml:"enc"`
	} `yaml:"pgp"`
	// Keys of other services, and keys in groups of which several are needed, are
	// left to the program.
	AWS     []keyName `yaml:"kms"`
	Google  []keyName `yaml:"gcp_kms"`
	Azure   []keyName `yaml:"azure_kv"`
	Vault   []keyName `yaml:"hc_vault"`
	Huawei  []keyName `yaml:"hckms"`
	Groups  []notes   `yaml:"key_groups"`
	Changed string    `yaml:"lastmodified"`
	MAC     string    `yaml:"mac"`
	// OnlyEncrypted says that the MAC does not cover what is not encrypted.
	OnlyEncrypted bool `yaml:"mac_only_encrypted"`
}

// keyName is what the services call their keys.
type keyName struct {
	ARN      string `yaml:"arn"`
	Resource string `yaml:"resource_id"`
	Address  string `yaml:"vault_address"`
	URL      string `yaml:"vault_url"`
	Key      string `yaml:"key_name"`
	Name     string `yaml:"name"`
	ID       string `yaml:"key_id"`
}

func (k keyName) String() string {
	var parts []string
	for _, part := range []string{k.ARN, k.Resource, k.Address, k.URL, k.Key, k.Name, k.ID} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

// takeNotes removes the notes from all documents and returns those of the first,
// which count, with their place.
func takeNotes(documents []*yaml.Node) (n notes, at *yaml.Node, err error) {
	var found *yaml.Node
	for i, document := range documents {
		if document.Kind != yaml.MappingNode {
			continue
		}
		for j := 0; j+1 < len(document.Content); j += 2 {
			if document.Content[j].Value != fleet.SOPSKey {
				continue
			}
			if i == 0 {
				at, found = document.Content[j], document.Content[j+1]
			}
			document.Content = append(document.Content[:j:j], document.Content[j+2:]...)
			break
		}
	}
	if found == nil {
		return n, nil, errors.New("the first document of an encrypted file must have the notes of SOPS, the key sops")
	}
	if found.Decode(&n) != nil || n.MAC == "" || n.Changed == "" {
		return n, at, errors.New("the notes of SOPS are damaged")
	}
	return n, at, nil
}

// openHere reports whether a key that we can use ourselves is enough.
func (n notes) openHere() bool { return len(n.Groups) == 0 && len(n.Age)+len(n.PGP) > 0 }

// recipients names the keys of which one is needed.
func (n notes) recipients() string {
	names := n.names()
	if len(names) == 0 {
		return "nobody"
	}
	return strings.Join(names, ", ")
}

func (n notes) names() []string {
	var out []string
	for _, key := range n.Age {
		out = append(out, "age "+key.Recipient)
	}
	for _, key := range n.PGP {
		out = append(out, "PGP "+key.Fingerprint)
	}
	for _, service := range []struct {
		name string
		keys []keyName
	}{{"AWS KMS", n.AWS}, {"Google KMS", n.Google}, {"Azure Key Vault", n.Azure}, {"Vault", n.Vault}, {"Huawei KMS", n.Huawei}} {
		for _, key := range service.keys {
			out = append(out, service.name+" "+key.String())
		}
	}
	for _, group := range n.Groups {
		out = append(out, group.names()...)
	}
	return out
}
