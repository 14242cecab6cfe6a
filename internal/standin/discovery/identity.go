package discovery

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// PodInfoDir is where the platform mounts a pod's own facts. The files win over
// the environment: after a restore from a checkpoint only they are true.
const PodInfoDir = "/etc/podinfo"

// Identity says which pod this process runs in.
type Identity struct {
	Pod       string
	UID       string
	Namespace string
}

// ReadPlace reads the logical namespace from dyn_namespace in dir, "" where it is not
// there. Only in a process that was restored is it truer than the environment.
func ReadPlace(dir string) string {
	data, err := os.ReadFile(filepath.Join(dir, "dyn_namespace"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// ReadIdentity reads pod_name, pod_uid and pod_namespace from dir, else POD_NAME,
// POD_UID and POD_NAMESPACE. The namespace falls back to "default", as in the
// real runtime; a missing name or UID is an error.
func ReadIdentity(dir string, getenv func(string) string) (Identity, error) {
	fact := func(name string) string {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if text := strings.TrimSpace(string(data)); err == nil && text != "" {
			return text
		}
		return getenv(strings.ToUpper(name))
	}
	id := Identity{Pod: fact("pod_name"), UID: fact("pod_uid"), Namespace: fact("pod_namespace")}
	if id.Namespace == "" {
		id.Namespace = "default"
	}
	if id.Pod == "" || id.UID == "" {
		return id, errors.New("this pod's identity is unknown: neither " + dir + " nor POD_NAME and POD_UID name it")
	}
	return id, nil
}
