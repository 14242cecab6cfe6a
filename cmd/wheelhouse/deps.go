package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/report"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
	"github.com/wheelhouse-dev/wheelhouse/internal/signature"
)

type depsFlags struct {
	mirrors []string
	all     bool
	update  bool
	output  string
}

func (a *app) newDeps() *cobra.Command {
	c := &cobra.Command{
		Use:   "deps",
		Short: "Lock, fetch and mirror third-party charts",
		Long: `Lock, fetch and mirror the third-party charts that the fleet turns on. The lock,
` + chart.LockName + ` beside the fleet file, pins them by content; the cache,
$XDG_CACHE_HOME/wheelhouse/charts, holds them. Other commands lock and fetch what
is missing, unless the fleet is air-gapped; with lock and cache they need no network.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.newDepsLock(), a.newDepsPull(), a.newDepsMirror())
	return c
}

func (a *app) newDepsLock() *cobra.Command {
	var flags depsFlags
	c := &cobra.Command{
		Use:   "lock",
		Short: "Find third-party charts and pin them by content",
		Long: `Find the third-party charts that the fleet turns on and that the lock does not
know yet, and write the lock. What is locked stays as it is, unless --update.
Where spec.signatures asks for it, signatures of charts and images are verified
and written into the lock, which is all that is needed to verify them again.`,
		Example: `  wheelhouse deps lock -f fleet.yaml
  wheelhouse deps lock -f fleet.yaml --all
  wheelhouse deps lock -f fleet.yaml --update`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.depsLock(c.Context(), flags) },
	}
	a.depsFlags(c, &flags)
	c.Flags().BoolVar(&flags.update, "update", false, "look for charts that are locked already, too, and accept other content")
	return c
}

func (a *app) newDepsPull() *cobra.Command {
	var flags depsFlags
	c := &cobra.Command{
		Use:   "pull",
		Short: "Fetch third-party charts into the cache",
		Long: `Fetch the third-party charts that the fleet turns on into the cache, in parallel,
and verify them. Charts that are not locked yet are locked first. Interrupted
downloads are continued; what is in the cache is not asked for again.`,
		Example: `  wheelhouse deps pull -f fleet.yaml
  wheelhouse deps pull -f fleet.yaml --mirror https://charts.example.com=oci://r.example.com/charts`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.depsPull(c.Context(), flags) },
	}
	a.depsFlags(c, &flags)
	c.Flags().StringVarP(&flags.output, "output", "o", "table", "table or json")
	return c
}

func (a *app) newDepsMirror() *cobra.Command {
	var flags depsFlags
	var to string
	c := &cobra.Command{
		Use:   "mirror",
		Short: "Copy every locked chart to a registry or a folder",
		Long: `Copy every chart of the lock to a registry (oci://HOST/PATH) or to a folder, which
gets an index so that any web server can serve it. Then prints what to add to
the fleet file so that charts are fetched from there.`,
		Example: `  wheelhouse deps mirror -f fleet.yaml --to oci://registry.example.com/charts
  wheelhouse deps mirror -f fleet.yaml --to ./mirror`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.depsMirror(c.Context(), flags, to) },
	}
	a.fleetFlags(c)
	mirrorFlag(c, &flags)
	c.Flags().StringVar(&to, "to", "", "oci://HOST/PATH or a folder")
	_ = c.MarkFlagRequired("to")
	return c
}

func (a *app) depsFlags(c *cobra.Command, flags *depsFlags) {
	a.fleetFlags(c)
	mirrorFlag(c, flags)
	c.Flags().BoolVar(&flags.all, "all", false, "every third-party chart that could be turned on")
}

func mirrorFlag(c *cobra.Command, flags *depsFlags) {
	c.Flags().StringArrayVar(&flags.mirrors, "mirror", nil, "fetch from a mirror: UPSTREAM=MIRROR, above spec.chartMirrors (repeatable)")
}

func (a *app) depsLock(ctx context.Context, flags depsFlags) error {
	deps, fetcher, err := a.dependencies(ctx, flags)
	if err != nil {
		return err
	}
	lock, err := a.completeLock(ctx, deps, fetcher, flags.update)
	if err != nil {
		return err
	}
	if len(fetcher.Signatures) > 0 {
		if err := a.lockImages(ctx, lock, fetcher, flags.update); err != nil {
			return err
		}
	}
	rows := make([][]string, 0, len(deps))
	for _, d := range deps {
		c, _ := lock.Find(d)
		rows = append(rows, []string{c.Name, c.Version, shortDigest(c.Digest), c.URL})
	}
	return a.depsTable([]string{"CHART", "VERSION", "DIGEST", "URL"}, rows)
}

func (a *app) depsPull(ctx context.Context, flags depsFlags) error {
	if err := oneOf("output", flags.output, "table", "json"); err != nil {
		return err
	}
	deps, fetcher, err := a.dependencies(ctx, flags)
	if err != nil {
		return err
	}
	lock, err := a.completeLock(ctx, deps, fetcher, false)
	if err != nil {
		return err
	}
	fetched, err := a.fetch(ctx, fetcher, locked(lock, deps))
	if err != nil {
		return err
	}
	if flags.output == "json" {
		return report.JSON(a.out, fetched)
	}
	rows := make([][]string, 0, len(fetched))
	for _, f := range fetched {
		from := f.From
		if from == "" {
			from = "(in the cache)"
		}
		rows = append(rows, []string{f.Name, f.Version, shortDigest(f.Digest), fmt.Sprintf("%.1f KiB", float64(f.Size)/1024), from})
	}
	return a.depsTable([]string{"CHART", "VERSION", "DIGEST", "SIZE", "FROM"}, rows)
}

func (a *app) depsMirror(ctx context.Context, flags depsFlags, to string) error {
	_, fetcher, err := a.dependencies(ctx, flags)
	if err != nil {
		return err
	}
	lock, err := chart.ReadLock(a.lockFile())
	if err != nil {
		return err
	}
	if len(lock.Charts) == 0 {
		return fmt.Errorf("%s is empty: nothing to mirror; fill it with `wheelhouse deps lock`", a.lockFile())
	}
	if _, err := a.fetch(ctx, fetcher, lock.Charts); err != nil {
		return err
	}
	progress := a.progress()
	fetcher.Begin = progress.Begin
	mirrored, err := fetcher.Mirror(ctx, lock.Charts, to)
	progress.Close()
	if err != nil {
		return err
	}
	fmt.Fprintf(a.out, "%d charts are at %s. To fetch them from there, put this into %s:\n\nspec:\n  chartMirrors:\n", len(lock.Charts), to, a.file)
	for _, m := range mirrored {
		fmt.Fprintf(a.out, "    %s: %s\n", m.Upstream, m.URL)
	}
	return nil
}

// depsTable prints nothing to do as a sentence.
func (a *app) depsTable(header []string, rows [][]string) error {
	if len(rows) == 0 {
		fmt.Fprintf(a.out, "%s turns on no third-party chart; --all means all of them.\n", a.file)
		return nil
	}
	return report.Table(a.out, header, rows)
}

// dependencies lists the charts that flags and fleet ask for: those that the file
// names in registries, which are fetched for it, and third-party charts.
func (a *app) dependencies(ctx context.Context, flags depsFlags) ([]chart.Dependency, *chart.Fetcher, error) {
	desired, fetcher, err := a.readNamed(ctx, flags)
	if err != nil {
		return nil, nil, err
	}
	deps := desired.Named()
	for _, key := range fleet.ChartKeys {
		if flags.all {
			deps = append(deps, desired.Charts[key].ThirdParty()...)
		} else {
			deps = append(deps, desired.Wanted(key)...)
		}
	}
	return deps, fetcher, nil
}

// readNamed reads the fleet with the charts that it names, but without those that
// they ask for.
func (a *app) readNamed(ctx context.Context, flags depsFlags) (*rollout.Desired, *chart.Fetcher, error) {
	shelf, err := a.shelf()
	if err != nil {
		return nil, nil, err
	}
	source := a.source(nil)
	source.Named = chart.Unverified{Shelf: shelf} // whoever locks verifies
	// Problems in values do not matter here; `validate` tells them.
	desired, err := rollout.Read(source)
	if desired == nil {
		return nil, nil, err
	}
	fetcher, err := a.fetcher(desired.Fleet, flags.mirrors)
	if err != nil || !desired.Incomplete() {
		return desired, fetcher, err
	}
	lock, err := a.completeLock(ctx, desired.Missing(), fetcher, false)
	if err != nil {
		return nil, nil, err
	}
	if _, err := a.fetch(ctx, fetcher, locked(lock, desired.Missing())); err != nil {
		return nil, nil, err
	}
	source.Named = chart.Unverified{Shelf: chart.Shelf{Lock: lock, Cache: shelf.Cache}}
	if desired, err = rollout.Read(source); desired == nil {
		return nil, nil, err
	}
	return desired, fetcher, nil
}

func (a *app) fetcher(f *fleet.Fleet, mirrors []string) (*chart.Fetcher, error) {
	dir, err := chart.DefaultCacheDir()
	if err != nil {
		return nil, err
	}
	trusted, err := signature.NewPolicy(f.Signatures)
	if err != nil {
		return nil, err
	}
	fetcher := &chart.Fetcher{Cache: chart.Cache{Dir: dir}, Base: filepath.Dir(a.file), Signatures: trusted}
	for _, flag := range mirrors {
		upstream, to, found := strings.Cut(flag, "=")
		if !found {
			return nil, errors.New("--mirror has no equals sign; write UPSTREAM=MIRROR")
		}
		if err := errors.Join(chart.CheckAddress(upstream), chart.CheckAddress(to)); err != nil {
			return nil, fmt.Errorf("--mirror: %w", err)
		}
		fetcher.Mirrors = append(fetcher.Mirrors, chart.Mirror{Upstream: upstream, URL: to})
	}
	for _, upstream := range slices.Sorted(maps.Keys(f.ChartMirrors)) {
		to := f.ChartMirrors[upstream]
		if err := errors.Join(chart.CheckAddress(upstream), chart.CheckAddress(to.Value)); err != nil {
			return nil, fmt.Errorf("%s: spec.chartMirrors: %w", to.Origin, err)
		}
		fetcher.Mirrors = append(fetcher.Mirrors, chart.Mirror{Upstream: upstream, URL: to.Value})
	}
	return fetcher, nil
}

// completeLock adds to the lock beside the fleet file and writes it.
func (a *app) completeLock(ctx context.Context, deps []chart.Dependency, fetcher *chart.Fetcher, update bool) (*chart.Lock, error) {
	a.locking.Lock()
	defer a.locking.Unlock()
	lock, err := chart.ReadLock(a.lockFile())
	if err != nil {
		return nil, err
	}
	before := slices.Clone(lock.Charts)
	progress := a.progress()
	fetcher.Begin = progress.Begin
	err = fetcher.Lock(ctx, deps, lock, update)
	progress.Close()
	if err != nil {
		return nil, err
	}
	for _, c := range lock.Charts {
		if !slices.Contains(before, c) {
			fmt.Fprintf(a.err, "locked %s: %s from %s\n", c, c.Digest, c.URL)
		}
	}
	if len(lock.Charts) == 0 {
		return lock, nil
	}
	return lock, lock.Write(a.lockFile())
}

// lockImages adds the images to the lock that the fleet wants signed. Which these are
// is known when the charts are: they are rendered as if all images were in the lock.
func (a *app) lockImages(ctx context.Context, lock *chart.Lock, fetcher *chart.Fetcher, update bool) error {
	shelf := chart.Shelf{Lock: lock, Cache: fetcher.Cache}
	source := a.source(shelf)
	source.Named = shelf
	desired, err := rollout.Read(source)
	if err != nil {
		return err
	}
	targets, err := desired.Targets(ctx, chart.OfflineCapabilities())
	if err != nil {
		return err
	}
	list, _, err := rollout.Images(targets)
	if err != nil {
		return err
	}
	var references []string
	for _, image := range list {
		references = append(references, image.Reference)
	}
	a.locking.Lock()
	defer a.locking.Unlock()
	if lock, err = chart.ReadLock(a.lockFile()); err != nil {
		return err
	}
	before := slices.Clone(lock.Images)
	progress := a.progress()
	fetcher.Begin = progress.Begin
	err = fetcher.LockImages(ctx, references, lock, update)
	progress.Close()
	if err != nil {
		return err
	}
	for _, image := range lock.Images {
		if !slices.Contains(before, image) {
			fmt.Fprintf(a.err, "locked image %s: %s, signed\n", image.Reference, image.Digest)
		}
	}
	if len(lock.Charts) == 0 && len(lock.Images) == 0 {
		return nil
	}
	return lock.Write(a.lockFile())
}

// obtainTimeout bounds the search for charts that nobody asked for by name: where
// packets vanish, `wheelhouse deps pull` has more patience.
const obtainTimeout = time.Minute

// obtain locks and fetches the third-party charts that the fleet turns on, and
// says so. A fleet without a network is not kept waiting for one.
func (a *app) obtain(ctx context.Context, desired *rollout.Desired) error {
	if a.readOnly {
		return errors.New("nothing is fetched for who may only ask: run `wheelhouse deps pull`")
	}
	if desired.AirGapped() {
		return errors.New("global.airGapped is true, so only `wheelhouse deps pull` and `wheelhouse bundle load FILE` bring charts")
	}
	fetcher, err := a.fetcher(desired.Fleet, nil)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	missing := desired.Missing()
	lock, err := a.completeLock(ctx, missing, fetcher, false)
	if err != nil {
		return err
	}
	fetched, err := a.fetch(ctx, fetcher, locked(lock, missing))
	if err != nil {
		return err
	}
	for _, f := range fetched {
		if f.From != "" {
			fmt.Fprintf(a.err, "fetched %s: %s from %s, as locked\n", f.Locked, f.Digest, f.From)
		}
	}
	return nil
}

func locked(lock *chart.Lock, deps []chart.Dependency) (charts []chart.Locked) {
	for _, d := range deps {
		if c, ok := lock.Find(d); ok {
			charts = append(charts, c)
		}
	}
	return charts
}

func (a *app) fetch(ctx context.Context, fetcher *chart.Fetcher, charts []chart.Locked) ([]chart.Fetched, error) {
	progress := a.progress()
	defer progress.Close()
	fetcher.Begin = progress.Begin
	return fetcher.Pull(ctx, charts)
}

func (a *app) lockFile() string { return chart.LockBeside(a.file) }

// shelf is where the fleet finds third-party charts without a network.
func (a *app) shelf() (chart.Shelf, error) { return chart.ShelfBeside(a.file) }

// shortDigest is enough to compare by eye.
func shortDigest(digest string) string { return strings.TrimPrefix(digest, "sha256:")[:12] }
