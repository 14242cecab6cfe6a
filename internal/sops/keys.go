package sops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/keys"
	"github.com/getsops/sops/v3/pgp"
)

// dataKey decrypts the key of the file with the first key at hand.
func (n notes) dataKey() ([]byte, error) {
	var masters []keys.MasterKey
	for _, key := range n.Age {
		masters = append(masters, &age.MasterKey{Recipient: key.Recipient, EncryptedKey: key.Key})
	}
	for _, key := range n.PGP {
		masters = append(masters, &pgp.MasterKey{Fingerprint: key.Fingerprint, EncryptedKey: key.Key})
	}
	var reasons []string
	for _, master := range masters {
		key, err := master.Decrypt()
		if err == nil {
			return key, nil
		}
		reasons = append(reasons, oneLine(err.Error()))
	}
	return nil, errors.New(strings.Join(reasons, "; "))
}

// programLimit leaves a person the time to log in to a service.
const programLimit = 2 * time.Minute

// byProgram lets the sops program decrypt a file, which knows the services and
// their credentials.
func byProgram(data []byte) ([]byte, error) {
	program, err := exec.LookPath("sops")
	if err != nil {
		return nil, errors.New("install the program sops (https://getsops.io), which is asked to decrypt with keys other than age and PGP")
	}
	var out, complaint bytes.Buffer
	// Ctrl-C reaches it too; the limit is for one that waits for nobody.
	ctx, cancel := context.WithTimeout(context.Background(), programLimit)
	defer cancel()
	c := exec.CommandContext(ctx, program, "decrypt", "--input-type", "yaml", "--output-type", "yaml", "/dev/stdin")
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(data), &out, &complaint
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s could not decrypt it: %s", program, oneLine(complaint.String()))
	}
	return out.Bytes(), nil
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
