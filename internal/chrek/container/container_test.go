package container

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/blockers"
)

const id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// users is the user namespace of the agent, as /proc names it.
const users = "user:[1]"

// procOf is a /proc without processes.
func procOf(t *testing.T) string {
	t.Helper()
	proc := t.TempDir()
	must(t, os.MkdirAll(filepath.Join(proc, "self/ns"), 0o755), os.Symlink(users, filepath.Join(proc, "self/ns/user")))
	return proc
}

// process writes what /proc says of one.
func process(t *testing.T, proc string, pid int, group, comm, status string) {
	t.Helper()
	dir := filepath.Join(proc, strconv.Itoa(pid))
	must(t, os.MkdirAll(filepath.Join(dir, "fd"), 0o755), os.Mkdir(filepath.Join(dir, "ns"), 0o755), os.Symlink(users, filepath.Join(dir, "ns/user")), os.WriteFile(filepath.Join(dir, "cgroup"), []byte(group), 0o600),
		os.WriteFile(filepath.Join(dir, "comm"), []byte(comm+"\n"), 0o600), os.WriteFile(filepath.Join(dir, "status"), []byte(status), 0o600))
}

func TestIDs(t *testing.T) {
	if got, err := ID("containerd://" + id); err != nil || got != id {
		t.Errorf("%s, %v", got, err)
	}
	for _, name := range []string{"", "containerd://", "containerd://../..", "containerd://" + id + "/x", id} {
		if _, err := ID(name); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}

func TestTheWorkerIsFoundBesideItsPlaceholder(t *testing.T) {
	proc := procOf(t)
	ours, others := "4:memory:/kubepods/pod1/"+id+"\n", "4:memory:/kubepods/pod1/fedc\n"
	process(t, proc, 1, "4:memory:/\n", "init", "PPid:\t0\nUid:\t0\t0\t0\t0\nNSpid:\t1\n")
	process(t, proc, 90, others, "pause", "PPid:\t80\nUid:\t0\t0\t0\t0\nNSpid:\t90\t1\n")
	process(t, proc, 100, ours, "chrek-init", "PPid:\t80\nUid:\t0\t0\t0\t0\nNSpid:\t100\t1\n")
	process(t, proc, 101, ours, "sh", "PPid:\t80\nUid:\t0\t0\t0\t0\nNSpid:\t101\t9\n")
	found, err := Find(proc, id)
	if err != nil || found.Init.PID != 100 || found.Worker.PID != 100 || found.Init.Comm != "chrek-init" {
		t.Errorf("%+v, %v", found, err)
	}
	process(t, proc, 120, ours, "worker", "PPid:\t100\nUid:\t1000\t0\t0\t0\nNSpid:\t120\t22\t1\nCapBnd:\t00000000000000ff\nNoNewPrivs:\t1\nSeccomp:\t2\n")
	process(t, proc, 121, ours, "child", "PPid:\t120\nUid:\t1000\t0\t0\t0\nNSpid:\t121\t23\t2\n")
	process(t, proc, 130, ours, "nested", "PPid:\t121\nUid:\t0\t0\t0\t0\nNSpid:\t130\t24\t3\t1\n")
	found, err = Find(proc, id)
	if err != nil || found.Init.PID != 100 || found.Worker.PID != 120 || found.Worker.UID != "1000" || found.Worker.Rights != (Rights{true, 0xff, true, true}) {
		t.Errorf("%+v, %v", found, err)
	}
	must(t, os.Symlink("anon_inode:inotify", filepath.Join(proc, "121/fd/7")), os.Mkdir(filepath.Join(proc, "121/fdinfo"), 0o755),
		os.WriteFile(filepath.Join(proc, "121/fdinfo/7"), []byte("inotify wd:1\n"), 0o600), os.Mkdir(filepath.Join(proc, "120/net"), 0o755),
		os.WriteFile(filepath.Join(proc, "120/net/tcp"), []byte("table"), 0o600))
	inside, tables := Inside(proc, found)
	if len(inside) != 3 || tables["tcp"] != "table" || !slices.ContainsFunc(inside, func(p blockers.Process) bool {
		return p.Name == "child" && len(p.Open) == 1 && strings.Contains(p.Open[0].Info, "wd:1")
	}) {
		t.Errorf("inside: %+v %v", inside, tables)
	}
	must(t, os.Symlink("pipe:[7]", filepath.Join(proc, "120/fd/1")), os.Symlink("/dev/null", filepath.Join(proc, "120/fd/2")))
	if got := Output(proc, 120); len(got) != 1 || got[1] != "pipe:[7]" {
		t.Errorf("output: %v", got)
	}
}

func TestAContainerWithoutAProcessIsNotFound(t *testing.T) {
	proc, ended, none := procOf(t), strings.Repeat("8", 64), strings.Repeat("9", 64)
	process(t, proc, 99, "4:memory:/kubepods/pod2/"+ended+"\n", "ended", "State:\tZ (zombie)\nPPid:\t80\nUid:\t0\t0\t0\t0\nNSpid:\t99\t1\n")
	for _, id := range []string{ended, none} {
		if _, err := Find(proc, id); err == nil || !strings.Contains(err.Error(), "no process") {
			t.Errorf("%s: %v", id, err)
		}
	}
}

// TestAProcessWithMountsOfItsOwnIsNotActedOn: in a user namespace anybody can mount an
// overlay whose upper folder is called as another pod's, and a checkpoint would have that.
func TestAProcessWithMountsOfItsOwnIsNotActedOn(t *testing.T) {
	proc, ours := procOf(t), "4:memory:/kubepods/pod1/"+id+"\n"
	process(t, proc, 100, ours, "worker", "PPid:\t80\nUid:\t0\t0\t0\t0\nNSpid:\t100\t1\n")
	process(t, proc, 120, ours, "rogue", "PPid:\t100\nUid:\t0\t0\t0\t0\nNSpid:\t120\t22\t1\n")
	other := func(pid string) {
		link := filepath.Join(proc, pid, "ns/user")
		must(t, os.Remove(link), os.Symlink("user:[2]", link))
	}
	other("120")
	if found, err := Find(proc, id); err != nil || found.Worker.PID != 100 {
		t.Errorf("the worker is %+v, %v", found.Worker, err)
	}
	other("100")
	if _, err := Find(proc, id); err == nil || !strings.Contains(err.Error(), "user namespace of its own") {
		t.Errorf("got %v", err)
	}
}

func TestAnotherContainersProcessIsNotHeld(t *testing.T) {
	if _, err := Hold("/proc", os.Getpid(), id); err == nil || !strings.Contains(err.Error(), "not in container") {
		t.Errorf("got %v", err)
	}
}

func TestCgroups(t *testing.T) {
	mount, proc := t.TempDir(), t.TempDir()
	group := func(path string) string {
		dir := filepath.Join(mount, path)
		must(t, os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "cgroup.procs"), nil, 0o600))
		return dir
	}
	memory, named := group("memory/pods/"+id), group("systemd/pods/"+id)
	process(t, proc, 7, "9:memory:/pods/"+id+"\n1:name=systemd:/pods/"+id+"\n5:cpuset:/\n0::/\n", "w", "")
	if got, err := Cgroups(mount, proc, 7, id); err != nil || !slices.Equal(got, []string{memory, named}) {
		t.Errorf("%v, %v", got, err)
	}
	process(t, proc, 8, "0::/../../pod2/cri-"+id+".scope\n", "w", "")
	if _, err := Cgroups(mount, proc, 8, id); err == nil || !strings.Contains(err.Error(), "mount the node's") {
		t.Errorf("one that is not there: %v", err)
	}
	must(t, os.WriteFile(filepath.Join(mount, "cgroup.controllers"), nil, 0o600), os.RemoveAll(filepath.Join(mount, "memory")), os.RemoveAll(filepath.Join(mount, "systemd")))
	unified := group("kubepods.slice/pod2/cri-" + id + ".scope")
	if got, err := Cgroups(mount, proc, 8, id); err != nil || !slices.Equal(got, []string{unified}) {
		t.Errorf("seen from a namespace: %v, %v", got, err)
	}
	process(t, proc, 9, "0::/\n", "w", "")
	if _, err := Cgroups(mount, proc, 9, id); err == nil {
		t.Error("the node's own cgroup was taken")
	}
}

// TestWritesFollowNothing: the file system is a tenant's.
func TestWritesFollowNothing(t *testing.T) {
	outside := t.TempDir()
	inside := filepath.Join(outside, "root")
	must(t, os.MkdirAll(filepath.Join(inside, "signal"), 0o755), os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600),
		os.Symlink(outside, filepath.Join(inside, "absolute")), os.Symlink("..", filepath.Join(inside, "up")),
		os.Symlink("signal", filepath.Join(inside, "within")), os.Symlink("../../secret", filepath.Join(inside, "signal/answer")),
		os.Symlink("../../secret", filepath.Join(inside, "signal/.chrek-answer")), os.Symlink("/proc/self/root", filepath.Join(inside, "magic")))
	root, err := os.Open(inside)
	must(t, err)
	defer func() { _ = root.Close() }()
	for _, name := range []string{"/absolute/secret", "/up/secret", "/within/answer", "/magic/tmp/x", "/../secret", "signal/x", "/signal//x", "/nowhere/x"} {
		if err := Write(root, name, []byte("evil")); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	must(t, Write(root, "/signal/answer", []byte("good")))
	if content, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(content) != "s" {
		t.Errorf("outside: %s, %v", content, err)
	}
	if content, err := os.ReadFile(filepath.Join(inside, "signal/answer")); err != nil || string(content) != "good" {
		t.Errorf("inside: %s, %v", content, err)
	}
	if info, err := os.Lstat(filepath.Join(inside, "signal/answer")); err != nil || !info.Mode().IsRegular() {
		t.Errorf("the link is still there: %v", err)
	}
	if file, err := Open("/proc", os.Getpid(), "/proc"); err != nil {
		t.Errorf("mounts are not gone through: %v", err)
	} else {
		must(t, file.Close())
	}
	if _, err := Open("/proc", os.Getpid(), "/proc/self/root"); err == nil {
		t.Error("a magic link was followed")
	}
}

func TestFactsOfThisMachine(t *testing.T) {
	var name unix.Utsname
	must(t, unix.Uname(&name))
	if got := Kernel("/proc"); got != unix.ByteSliceToString(name.Release[:]) {
		t.Errorf("kernel %q", got)
	}
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "cpuinfo"), []byte("processor\t: 0\nflags\t\t: sse avx\nbugs\t\t: x\n"), 0o600))
	if got := CPU(dir); !slices.Equal(got, []string{"avx", "sse"}) {
		t.Errorf("flags %v", got)
	}
}
