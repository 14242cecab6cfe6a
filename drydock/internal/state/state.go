// Package state names every file that drydock keeps: programs shared by all clusters, and one folder per cluster.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"syscall"
	"time"
)

// Dir is the state directory. Nothing of drydock lives outside it, apart from what the kernel holds for a running cluster.
type Dir string

// rootDir is root's state directory unless another is chosen.
const rootDir = "/var/lib/drydock"

// DefaultDir returns $DRYDOCK_STATE, else /var/lib/drydock for root and $XDG_STATE_HOME/drydock (~/.local/state/drydock) for others.
func DefaultDir() (Dir, error) {
	if dir := os.Getenv("DRYDOCK_STATE"); dir != "" {
		return Dir(dir), nil
	}
	if os.Geteuid() == 0 {
		return rootDir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return Dir(filepath.Join(dir, "drydock")), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("no home directory for the state (%w); pass --state DIR", err)
	}
	return Dir(filepath.Join(home, ".local", "state", "drydock")), nil
}

// Bin is where the component programs are, one folder per version of their sources.
func (d Dir) Bin() string { return filepath.Join(string(d), "bin") }

// Packages is where Debian packages that the machine lacks are unpacked.
func (d Dir) Packages() string { return filepath.Join(string(d), "packages") }

// MountPoints is the list of empty folders that nodes mount over and that drydock made on the host.
func (d Dir) MountPoints() string { return filepath.Join(string(d), "mountpoints") }

// Purge removes all that drydock keeps here, but no file of anybody else.
func (d Dir) Purge() error {
	for _, own := range []string{"bin", "packages", "clusters", "locks", "lock", "mountpoints"} {
		if err := os.RemoveAll(filepath.Join(string(d), own)); err != nil {
			return err
		}
	}
	err := os.Remove(string(d))
	for _, harmless := range []error{fs.ErrNotExist, syscall.ENOTEMPTY, fs.ErrPermission} {
		if errors.Is(err, harmless) {
			return nil // the folder itself may well be somebody else's
		}
	}
	return err
}

// Lock is the file that serialises the choice of ports and subnets among clusters.
func (d Dir) Lock() string { return filepath.Join(string(d), "lock") }

// Cluster returns the files of the named cluster, which need not exist.
func (d Dir) Cluster(name string) Cluster {
	return Cluster{Name: name, Dir: filepath.Join(string(d), "clusters", name), lock: filepath.Join(string(d), "locks", name)}
}

// Clusters returns every cluster that has a record, by name.
func (d Dir) Clusters() ([]Cluster, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), "clusters"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var clusters []Cluster
	for _, entry := range entries {
		if c := d.Cluster(entry.Name()); c.Exists() {
			clusters = append(clusters, c)
		}
	}
	sort.Slice(clusters, func(i, j int) bool { return clusters[i].Name < clusters[j].Name })
	return clusters, nil
}

// Cluster names the files of one cluster.
type Cluster struct {
	Name string
	Dir  string
	lock string
}

// ID tells the cluster from all others on the machine, also from one of the same name in another state directory.
func (c Cluster) ID() string {
	dir := filepath.Dir(filepath.Dir(c.Dir))
	if dir == rootDir {
		return c.Name
	}
	digest := sha256.Sum256([]byte(dir))
	return c.Name + "-" + hex.EncodeToString(digest[:4])
}

// Path joins elements below the cluster's folder.
func (c Cluster) Path(elements ...string) string {
	return filepath.Join(append([]string{c.Dir}, elements...)...)
}

// Kubeconfig is the administrator's kubeconfig.
func (c Cluster) Kubeconfig() string { return c.Path("kubeconfig") }

// AuditLog is the API server's audit log: one JSON object per line.
func (c Cluster) AuditLog() string { return c.Path("audit.log") }

// Log is where a component's output goes.
func (c Cluster) Log(component string) string { return c.Path("logs", component+".log") }

// PIDFile is where a component's process is recorded.
func (c Cluster) PIDFile(component string) string { return c.Path("pids", component) }

// Lock is the file held while the cluster changes. It stays when the cluster goes, since somebody may be waiting for it.
func (c Cluster) Lock() string { return c.lock }

func (c Cluster) recordFile() string { return c.Path("cluster.json") }

// Exists reports whether the cluster has been created and not been taken down.
func (c Cluster) Exists() bool {
	_, err := os.Stat(c.recordFile())
	return err == nil
}

// Record is what was decided when the cluster was created.
type Record struct {
	Name    string    `json:"name"`
	APIOnly bool      `json:"apiOnly"`
	GPUs    int       `json:"gpus"`
	Created time.Time `json:"created"`
	// Kubernetes is the version of an API-only cluster's control plane, such as 1.29.15; empty for the one that drydock carries.
	Kubernetes string `json:"kubernetes,omitempty"`
	// Programs is the folder of the component programs that run the cluster.
	Programs string `json:"programs"`
	// Ports are the loopback ports of an API-only cluster, by use.
	Ports map[string]int `json:"ports,omitempty"`
	// Block is B in 10.B.0.0/16, the private network of a full node; 0 for an API-only cluster.
	Block int `json:"block,omitempty"`
	// Ready is false from the first step of a start until its last one.
	Ready bool `json:"ready"`
}

// Load reads the cluster's record.
func (c Cluster) Load() (Record, error) {
	var record Record
	content, err := os.ReadFile(c.recordFile())
	if err != nil {
		return record, err
	}
	if err := json.Unmarshal(content, &record); err != nil {
		return record, fmt.Errorf("%s is damaged (%w); remove the cluster with: drydock down --name %s", c.recordFile(), err, c.Name)
	}
	return record, nil
}

// Save writes the record so that a reader never sees half of it.
func (c Cluster) Save(record Record) error {
	content, err := json.MarshalIndent(record, "", "  ")
	if err != nil {
		return err
	}
	return WriteFile(c.recordFile(), append(content, '\n'), 0o644)
}

// WriteFile replaces a file in one step and creates its folder where needed.
func WriteFile(path string, content []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, content, mode); err != nil {
		return err
	}
	return os.Rename(temporary, path)
}

var namePattern = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// CheckName refuses names that cannot also be the name of a Kubernetes node.
func CheckName(name string) error {
	if len(name) > 40 || !namePattern.MatchString(name) {
		return fmt.Errorf("%q cannot name a cluster: use at most 40 lower-case letters, digits and '-', beginning and ending with a letter or digit", name)
	}
	return nil
}
