package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
)

func (a *app) newBundle() *cobra.Command {
	c := &cobra.Command{
		Use:   "bundle",
		Short: "Carry charts to a site without a network, in one file",
		Args:  cobra.NoArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.newBundleCreate(), a.newBundleLoad())
	return c
}

func (a *app) newBundleCreate() *cobra.Command {
	var to string
	var askRegistries bool
	c := &cobra.Command{
		Use:   "create",
		Short: "Write our charts, locked charts, CRDs and the list of images into one file",
		Long: `Write our charts, the charts of the lock, the CRDs and the list of images that
the fleet runs into one file. The file's digest is printed: give it to whoever
loads the bundle. Images themselves are not in it; copy them by the list.`,
		Example: `  wheelhouse bundle create -f fleet.yaml -o site.bundle.tar.gz
  wheelhouse bundle create -f fleet.yaml -o site.bundle.tar.gz --image-digests`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.bundleCreate(c.Context(), to, askRegistries) },
	}
	a.fleetFlags(c)
	c.Flags().StringVarP(&to, "output", "o", "", "the file to write")
	c.Flags().BoolVar(&askRegistries, "image-digests", false, "ask registries for the digest of every image")
	_ = c.MarkFlagRequired("output")
	return c
}

func (a *app) bundleCreate(ctx context.Context, to string, askRegistries bool) error {
	desired, err := a.read(ctx)
	if err != nil {
		return err
	}
	shelf, err := a.shelf()
	if err != nil {
		return err
	}
	fetcher, err := a.fetcher(desired.Fleet, nil)
	if err != nil {
		return err
	}
	if _, err := a.fetch(ctx, fetcher, shelf.Lock.Charts); err != nil {
		return err
	}
	bundle, err := desired.Bundle(ctx, shelf)
	if err != nil {
		return err
	}
	if askRegistries {
		var unknown []*chart.Image
		for i := range bundle.Images {
			if bundle.Images[i].Digest == "" {
				unknown = append(unknown, &bundle.Images[i])
			}
		}
		if err := a.askDigests(ctx, fetcher, unknown); err != nil {
			return err
		}
	}
	digest, err := writeBundle(to, bundle)
	if err != nil {
		return err
	}
	if err := a.printBundle(bundle); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nWrote %s, digest %s\nLoad it with: wheelhouse bundle load %s --digest %s\n", to, digest, filepath.Base(to), digest)
	return nil
}

func writeBundle(to string, bundle *chart.Bundle) (digest string, err error) {
	file, err := os.CreateTemp(filepath.Dir(to), "."+filepath.Base(to)+".*")
	if err != nil {
		return "", fmt.Errorf("write the bundle: %w", err)
	}
	digest, err = bundle.Write(file)
	if err = errors.Join(err, file.Chmod(0o644), file.Close()); err == nil {
		err = os.Rename(file.Name(), to)
	}
	if err != nil {
		return "", fmt.Errorf("write the bundle: %w", errors.Join(err, os.Remove(file.Name())))
	}
	return digest, nil
}

// askDigests fills in what the references do not say.
func (a *app) askDigests(ctx context.Context, fetcher *chart.Fetcher, images []*chart.Image) error {
	progress := a.progress()
	defer progress.Close()
	fetcher.Begin = progress.Begin
	return fetcher.FillDigests(ctx, images)
}

func (a *app) printBundle(bundle *chart.Bundle) error {
	var rows [][]string
	crds := 0
	for name, data := range bundle.Files {
		switch path.Dir(name) + "/" {
		case chart.BundleCharts, chart.BundleThirdParty:
			rows = append(rows, []string{name, fmt.Sprintf("%.1f KiB", float64(len(data))/1024)})
		case chart.BundleCRDs:
			crds++
		}
	}
	slices.SortFunc(rows, func(x, y []string) int { return strings.Compare(x[0], y[0]) })
	if err := report.Table(a.out, []string{"CHART", "SIZE"}, rows); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\nand %d CRDs. The fleet runs these images:\n\n", crds)
	rows = nil
	for _, image := range bundle.Images {
		digest := image.Digest
		if digest == "" {
			digest = "(not known; --image-digests asks the registries)"
		}
		rows = append(rows, []string{image.Reference, digest})
	}
	if err := report.Table(a.out, []string{"IMAGE", "DIGEST"}, rows); err != nil {
		return err
	}
	if unknown := bundle.Files[chart.BundleUnknownImages]; len(unknown) > 0 {
		fmt.Fprintf(a.out, "\nAnd these, which nobody can know from here; look into the charts:\n\n%s", unknown)
	}
	return nil
}

type bundleLoadFlags struct {
	digest, extract string
}

func (a *app) newBundleLoad() *cobra.Command {
	var flags bundleLoadFlags
	c := &cobra.Command{
		Use:   "load FILE",
		Short: "Verify a bundle and put its charts into the cache",
		Long: `Verify a bundle, put its third-party charts into the cache, and add them to the
lock beside the fleet file. Afterwards plan and apply need no network.`,
		Example: `  wheelhouse bundle load site.bundle.tar.gz -f fleet.yaml --digest sha256:...
  wheelhouse bundle load site.bundle.tar.gz --extract ./site    # charts and CRDs for plain Helm`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.bundleLoad(args[0], flags) },
	}
	a.fleetFlags(c)
	c.Flags().StringVar(&flags.digest, "digest", "", "refuse a bundle with another `DIGEST` than bundle create printed")
	c.Flags().StringVar(&flags.extract, "extract", "", "also write every file of the bundle into this folder")
	return c
}

func (a *app) bundleLoad(file string, flags bundleLoadFlags) error {
	bundle, digest, err := openBundle(file)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if flags.digest != "" && flags.digest != digest {
		return fmt.Errorf("%s: %w: it is not the bundle that you expect", file, &chart.DigestError{What: "the bundle", Want: flags.digest, Got: digest})
	}
	shelf, err := a.shelf()
	if err != nil {
		return err
	}
	if err := bundle.Unpack(shelf); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := shelf.Lock.Write(a.lockFile()); err != nil {
		return err
	}
	if flags.extract != "" {
		written, err := bundle.Extract(flags.extract)
		if err != nil {
			return err
		}
		fmt.Fprintf(a.out, "Wrote %d files:\n%s\n\n", len(written), strings.Join(written, "\n"))
	}
	if err := a.printBundle(bundle); err != nil {
		return err
	}
	fmt.Fprintf(a.out, "\n%s is whole, digest %s. Its charts are in the cache and in %s.\n", file, digest, a.lockFile())
	return nil
}

func openBundle(name string) (*chart.Bundle, string, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = file.Close() }()
	return chart.ReadBundle(file)
}
