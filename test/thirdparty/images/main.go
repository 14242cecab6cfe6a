// Command images builds the container images of the fixture charts: the real
// NATS and etcd servers, the real controller of LeaderWorkerSet and the real
// endpoint picker from their Go modules, the stand-in runtime with Debian's Open MPI, the client that tests talk
// to the servers with, and programs that do nothing for the operators of KAI and Grove.
// It is run in the checkout's root.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/wheelhouse-dev/wheelhouse/images"
)

// The modules that hold the versions of what is built.
const (
	servers = "test/thirdparty/servers"
	lws     = "test/thirdparty/lws"
	epp     = "test/thirdparty/epp"
	// standin is of this module itself.
	standin = "cmd/standin"
)

// catalog has Go packages of these modules instead of the root module.
var catalog = []images.Image{
	{
		Name: "fixture-nats", Title: "NATS server, for tests", Package: "github.com/nats-io/nats-server/v2",
		Binary: "/usr/local/bin/nats-server", User: 1000, Group: 1000, Entrypoint: []string{"/usr/local/bin/nats-server"},
		Dirs: []images.Dir{{Path: "/data", Mode: 0o775}}, WorkingDir: "/",
	},
	{
		Name: "fixture-etcd", Title: "etcd, for tests", Package: "go.etcd.io/etcd/server/v3",
		Binary: "/usr/local/bin/etcd", User: 1001, Group: 1001, Entrypoint: []string{"/usr/local/bin/etcd"},
		Dirs: []images.Dir{{Path: "/bitnami/etcd", Mode: 0o775}}, WorkingDir: "/",
	},
	{
		Name: "fixture-client", Title: "Client of NATS and etcd, for tests", Package: "./client",
		Binary: "/usr/local/bin/client", User: 1000, Group: 1000, Entrypoint: []string{"/usr/local/bin/client"}, WorkingDir: "/",
	},
	{
		Name: "fixture-operator", Title: "Operator that does nothing, for tests", Package: "./idle",
		Binary: "/usr/local/bin/idle", User: 1000, Group: 1000, Entrypoint: []string{"/usr/local/bin/idle"}, WorkingDir: "/",
	},
	{
		Name: "fixture-job", Title: "Job that does nothing, for tests", Package: "./idle",
		Binary: "/usr/local/bin/idle", User: 1000, Group: 1000, Entrypoint: []string{"/usr/local/bin/idle", "once"}, WorkingDir: "/",
	},
	{
		Name: "fixture-lws", Title: "Controller of LeaderWorkerSet, for tests", Package: "sigs.k8s.io/lws/cmd",
		Binary: "/manager", User: 65532, Group: 65532, Entrypoint: []string{"/manager"}, WorkingDir: "/",
	},
	{
		Name: "fixture-epp", Title: "Endpoint picker, for tests", Package: "github.com/wheelhouse-dev/wheelhouse/test/thirdparty/epp",
		Binary: "/epp", User: 65532, Group: 65532, Entrypoint: []string{"/epp"}, WorkingDir: "/",
	},
	trtllm(),
}

// trtllm is the stand-in runtime with what starts the ranks of an engine over several
// nodes. Its shell is a real one, as SSH sessions have it.
func trtllm() images.Image {
	i := slices.IndexFunc(images.Catalog, func(image images.Image) bool { return image.Package == standin })
	image := images.Catalog[i]
	image.Name, image.Title = "fixture-trtllm", image.Title+", with Open MPI, for tests"
	image.Links = slices.DeleteFunc(slices.Clone(image.Links), func(link string) bool { return link == "/bin/sh" })
	image.Debian = openMPI
	return image
}

// moduleOf is where a package is built.
func moduleOf(pkg string) string {
	switch {
	case strings.HasPrefix(pkg, "sigs.k8s.io/lws/"):
		return lws
	case strings.HasSuffix(pkg, epp):
		return epp
	}
	return servers
}

func main() {
	out := flag.String("out", "dist/fixtures", "directory for the archives")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: images [--out DIR] [IMAGE...]; without names, all of them")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *out, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out string, names []string) error {
	wanted, err := choose(names)
	if err != nil {
		return err
	}
	if out, err = filepath.Abs(out); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for i, image := range wanted {
		fmt.Fprintf(os.Stderr, "[%d/%d] %s: compiling %s ...", i+1, len(wanted), image.Name, image.Package)
		begun := time.Now()
		if err := build(ctx, image, filepath.Join(out, image.Name+".tar")); err != nil {
			fmt.Fprintln(os.Stderr, " failed")
			return err
		}
		fmt.Fprintf(os.Stderr, " %.1fs\n", time.Since(begun).Seconds())
	}
	return nil
}

// choose picks images by name; all of them without names.
func choose(names []string) (wanted []images.Image, err error) {
	if len(names) == 0 {
		return catalog, nil
	}
	for _, name := range names {
		i := slices.IndexFunc(catalog, func(image images.Image) bool { return image.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no image %s", name)
		}
		wanted = append(wanted, catalog[i])
	}
	return wanted, nil
}

func build(ctx context.Context, image images.Image, archive string) error {
	assembled, err := assemble(ctx, image)
	if err != nil {
		return err
	}
	file, err := os.Create(archive)
	if err != nil {
		return err
	}
	if err := images.WriteArchive(file, assembled, image.Reference()); err != nil {
		return err
	}
	return file.Close()
}

func assemble(ctx context.Context, image images.Image) (v1.Image, error) {
	if image.Package == standin {
		return images.Build(ctx, image, runtime.GOARCH)
	}
	binary, err := compile(ctx, image.Package)
	if err != nil {
		return nil, fmt.Errorf("compile %s: %w", image.Package, err)
	}
	return images.Assemble(image, binary)
}

func compile(ctx context.Context, pkg string) ([]byte, error) {
	dir, err := os.MkdirTemp("", "wheelhouse-fixture-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary := filepath.Join(dir, "binary")
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o", binary, pkg)
	command.Dir = moduleOf(pkg)
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH, "GOFLAGS=")
	if text, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, text)
	}
	return os.ReadFile(binary)
}
