package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"default", "a", "team-1", "0"} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"", "-a", "a-", "A", "a.b", "a/b", "..", "a_b", "this-name-is-longer-than-forty-characters"} {
		if CheckName(name) == nil {
			t.Errorf("%q is accepted", name)
		}
	}
}

func TestARecordIsReadAsItWasSaved(t *testing.T) {
	dir := Dir(t.TempDir())
	cluster := dir.Cluster("one")
	if cluster.Exists() {
		t.Error("it exists before it was saved")
	}
	saved := Record{Name: "one", APIOnly: true, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Programs: "/p", Ports: map[string]int{"api": 20000}, Ready: true}
	if err := cluster.Save(saved); err != nil {
		t.Fatal(err)
	}
	loaded, err := cluster.Load()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(saved, loaded); diff != "" {
		t.Error(diff)
	}
	clusters, err := dir.Clusters()
	if err != nil || len(clusters) != 1 || clusters[0].Name != "one" {
		t.Errorf("clusters are %v, %v", clusters, err)
	}
}

func TestClustersOfOneNameInDifferentPlacesAreToldApart(t *testing.T) {
	ids := map[string]bool{}
	for _, dir := range []Dir{rootDir, "/elsewhere", "/a/third"} {
		ids[dir.Cluster("default").ID()] = true
	}
	if len(ids) != 3 || !ids["default"] {
		t.Errorf("the three are %v", ids)
	}
}

func TestPurgeLeavesOtherPeoplesFiles(t *testing.T) {
	dir := Dir(t.TempDir())
	for _, file := range []string{"bin/x/kubectl", "packages/complete", "clusters/c/cluster.json", "locks/c", "lock", "mountpoints", "mine.txt"} {
		if err := WriteFile(filepath.Join(string(dir), file), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.Purge(); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(string(dir))
	if err != nil || len(entries) != 1 || entries[0].Name() != "mine.txt" {
		t.Errorf("left are %v, %v; want only mine.txt", entries, err)
	}
}

func TestTheStateDirectoryCanBeChosen(t *testing.T) {
	t.Setenv("DRYDOCK_STATE", "/elsewhere")
	if dir, err := DefaultDir(); err != nil || dir != "/elsewhere" {
		t.Errorf("got %s, %v", dir, err)
	}
}

func TestALockIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	release, err := Acquire(path, func() { t.Error("waited for nobody") })
	if err != nil {
		t.Fatal(err)
	}
	waiting, acquired := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(acquired)
		second, err := Acquire(path, func() { close(waiting) })
		if err != nil {
			t.Error(err)
			return
		}
		second()
	}()
	<-waiting
	select {
	case <-acquired:
		t.Error("two hold the lock")
	default:
	}
	release()
	<-acquired
}

func TestTooLittleSpaceIsSaidBeforehand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	if err := RequireSpace(dir, 1, "a test"); err != nil {
		t.Error(err)
	}
	if err := RequireSpace(dir, 1<<62, "a test"); err == nil || !strings.Contains(err.Error(), "--state DIR") {
		t.Errorf("got %v; want an error that says what to do", err)
	}
}
