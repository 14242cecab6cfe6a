//go:build e2e

package node

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wheelhouse-dev/wheelhouse/images"
)

// python311 is Python of Debian's bookworm, with what it loads.
var python311 = []images.Package{
	{Pool: "p/python3.11/python3.11-minimal_3.11.2-6%2bdeb12u7_amd64.deb", SHA256: "86c922ce552dadd6d0dc55b3f440aca61a9667e632f91827173f7574a6bfdc01", Files: []string{"/usr/bin/python3.11"}},
	{Pool: "p/python3.11/libpython3.11-minimal_3.11.2-6%2bdeb12u7_amd64.deb", SHA256: "099a8e81d82653de6162273bdd79bde668d1dd40594309e71e682a80f175a364", Files: []string{"/usr/lib/python3.11/"}},
	{Pool: "p/python3.11/libpython3.11-stdlib_3.11.2-6%2bdeb12u7_amd64.deb", SHA256: "0ac258df74db760dc2ed408491c57880872b8a699625f6a136d15f1fb5b9f7a5", Files: []string{"/usr/lib/python3.11/"}},
	{Pool: "e/expat/libexpat1_2.5.0-1%2bdeb12u2_amd64.deb", SHA256: "2255e62fc22a86d2c544b8a3f516da9aee19383ad5742722ab4ce7f66a30dbc8", Files: []string{"/lib/x86_64-linux-gnu/libexpat.so.1"}},
	{Pool: "z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb", SHA256: "d7dd1d1411fedf27f5e27650a6eff20ef294077b568f4c8c5e51466dc7c08ce4", Files: []string{"/lib/x86_64-linux-gnu/libz.so.1"}},
	{Pool: "g/glibc/libc6_2.36-9%2bdeb12u14_amd64.deb", SHA256: "ba4f88f73dbc3ae9055f3c20f4523bfdbaf1ad13ff95e258924f77d20b4fbedf", Files: []string{"/lib/x86_64-linux-gnu/libc.so.6", "/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"}},
}

// testImages are the agent's, two with the same program, and one with a program of Python.
func testImages(dir string) (references []string, err error) {
	script, err := os.ReadFile("testdata/worker.py")
	if err != nil {
		return nil, err
	}
	agent, err := agentImage()
	if err != nil {
		return nil, err
	}
	all := map[string]images.Image{agent.Reference(): agent}
	for name, version := range map[string]string{worker: "1", other: "2", python: "python"} {
		image := images.Image{
			Name: "worker", Title: "A worker of tests", Package: "test/chrek/worker", Binary: "/worker",
			Files:      map[string]string{"/state/of-the-image": "of the image\n", "/etc/version": version},
			Dirs:       []images.Dir{{Path: "/tmp", Mode: os.ModeSticky | 0o777}, {Path: "/state", Mode: 0o777}},
			Entrypoint: []string{"/worker"}, WorkingDir: "/",
		}
		if name == python {
			image.Debian, image.Files["/app/worker.py"] = python311, string(script)
		}
		all[name] = image
	}
	for name, image := range all {
		if err := build(filepath.Join(dir, archiveOf(name)), image, name); err != nil {
			return nil, err
		}
	}
	return slices.Collect(maps.Keys(all)), nil
}

// archiveOf is the file of an image.
func archiveOf(name string) string {
	return strings.NewReplacer("/", "_", ":", "_").Replace(name) + ".tar"
}

func build(path string, image images.Image, reference string) error {
	built, err := images.Build(context.Background(), image, runtime.GOARCH)
	if err != nil {
		return err
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := images.WriteArchive(file, built, reference); err != nil {
		return err
	}
	return file.Close()
}

// agentImage is that of the product. Where the machine has not got CAP_SYS_RESOURCE, which
// no pod can get then, CRIU in it reads the limits of users' processes in another way.
func agentImage() (images.Image, error) {
	found, err := images.ByName([]string{"chrek-agent"})
	if err != nil || sysResource() {
		return found[0], err
	}
	library := filepath.Join(os.TempDir(), "chrek-limits.so")
	defer func() { _ = os.Remove(library) }()
	if out, err := exec.CommandContext(context.Background(), "gcc", "-O2", "-shared", "-fPIC", "-o", library, "testdata/limits.c").CombinedOutput(); err != nil {
		return found[0], fmt.Errorf("gcc: %w\n%s", err, out)
	}
	content, err := os.ReadFile(library)
	if err != nil {
		return found[0], err
	}
	image := found[0]
	image.Files = maps.Clone(image.Files)
	image.Files["/etc/ld.so.preload"], image.Files["/limits.so"] = "/limits.so\n", string(content)
	return image, nil
}

// sysResource reports whether this process, and so a pod, may have CAP_SYS_RESOURCE.
func sysResource() bool {
	set, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, unix.CAP_SYS_RESOURCE, 0, 0, 0)
	return err == nil && set == 1
}
