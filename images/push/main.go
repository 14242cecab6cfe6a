// Command push builds the product's images for every architecture and its charts, and
// pushes them to a registry, with the credentials that `docker login` or
// `helm registry login` has left. What is there already is not sent again. It prints
// what was pushed, by digest, and the lines for a fleet file.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/Masterminds/semver/v3"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"helm.sh/helm/v4/pkg/registry"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/images"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

func main() {
	to := flag.String("registry", "", "where to push: a `host`, with or without a path below it")
	version := flag.String("version", images.Version, "the `version` of images and charts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *to, *version)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "push:", err)
		os.Exit(1)
	}
}

// pushed is what is in the registry now.
type pushed struct {
	name, reference, digest, architectures string
	// key is what a fleet calls a chart; empty for an image.
	key string
}

func run(ctx context.Context, to, version string) error {
	if to == "" || strings.Contains(to, "://") {
		return errors.New("say where to push, as a host with an optional path: make push REGISTRY=registry.example.com/team")
	}
	if _, err := semver.StrictNewVersion(version); err != nil {
		return fmt.Errorf("%q is no version of a chart; write one in full, such as 1.0.1", version)
	}
	p := pusher{to: strings.TrimSuffix(to, "/"), version: version}
	var all []pushed
	for i, image := range images.Catalog {
		fmt.Fprintf(os.Stderr, "[%d/%d] %s: building and pushing ...", i+1, len(images.Catalog), image.Name)
		begun := time.Now()
		done, err := p.image(ctx, image)
		if err != nil {
			fmt.Fprintln(os.Stderr, " failed")
			return fmt.Errorf("image %s: %w", image.Name, err)
		}
		fmt.Fprintf(os.Stderr, " %.1fs\n", time.Since(begun).Seconds())
		all = append(all, done)
	}
	for _, folder := range fleet.ChartKeys {
		done, err := p.chart(folder)
		if err != nil {
			return fmt.Errorf("chart %s: %w", folder, err)
		}
		all = append(all, done)
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PUSHED\tFOR\tDIGEST")
	for _, each := range all {
		fmt.Fprintf(table, "%s\t%s\t%s\n", each.reference, each.architectures, each.digest)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Printf("\nFor your fleet file:\n\n%s", fleetLines(p.to, all))
	return nil
}

type pusher struct{ to, version string }

// at names something in the registry.
func (p pusher) at(tagged string) (name.Tag, error) {
	return name.NewTag(p.to+"/"+tagged, name.StrictValidation)
}

// image pushes an image of every architecture under one name. Images are the same
// bytes each time, so a second push sends nothing.
func (p pusher) image(ctx context.Context, image images.Image) (pushed, error) {
	image.Version = p.version
	reference, err := p.at(image.Name + ":" + image.Tag())
	if err != nil {
		return pushed{}, err
	}
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, architecture := range image.Architectures() {
		built, err := images.Build(ctx, image, architecture)
		if err != nil {
			return pushed{}, err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        built,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: architecture}},
		})
	}
	if err := remote.WriteIndex(reference, index, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain)); err != nil {
		return pushed{}, err
	}
	digest, err := index.Digest()
	return pushed{name: image.Name, reference: reference.Name(), digest: digest.String(), architectures: strings.Join(image.Architectures(), ",")}, err
}

// chart pushes one of our charts as `helm push` does.
func (p pusher) chart(folder string) (pushed, error) {
	c, err := chart.OpenFS(charts.FS(), folder)
	if err != nil {
		return pushed{}, err
	}
	c = c.Versioned(p.version)
	data, err := c.Package()
	if err != nil {
		return pushed{}, err
	}
	reference, err := p.at("charts/" + c.Name() + ":" + c.Version())
	if err != nil {
		return pushed{}, err
	}
	var options []registry.ClientOption
	if chart.PlainHTTP(reference.RegistryStr()) {
		options = append(options, registry.ClientOptPlainHTTP())
	}
	client, err := registry.NewClient(options...)
	if err != nil {
		return pushed{}, err
	}
	result, err := client.Push(data, reference.Name())
	if err != nil {
		return pushed{}, err
	}
	return pushed{name: c.Name(), reference: registry.OCIScheme + "://" + reference.Name(), digest: result.Manifest.Digest, architectures: "-", key: folder}, nil
}
