package pki

import (
	"encoding/base64"
	"fmt"
)

// Kubeconfig renders a kubeconfig with one context, named like its cluster, whose user is the holder of the pair.
func Kubeconfig(cluster, server string, authority []byte, user string, pair Pair) []byte {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters:
- name: %[1]s
  cluster:
    server: %[2]s
    certificate-authority-data: %[3]s
users:
- name: %[4]s
  user:
    client-certificate-data: %[5]s
    client-key-data: %[6]s
contexts:
- name: %[1]s
  context:
    cluster: %[1]s
    user: %[4]s
current-context: %[1]s
`, cluster, server, encode(authority), user, encode(pair.Certificate), encode(pair.Key))
}
