// Command package writes our charts as Helm packages that stock Helm installs
// offline. Third-party charts that are locked and in the cache go into the
// package; the others are left out, which an annotation tells, and turning them
// on is refused. With --fixtures the packages hold test charts instead and say
// so in their version. Packaging the same sources twice gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

const (
	// fixtures is where the test charts lie, from the checkout's root.
	fixtures = "test/thirdparty/charts"
	// fixturesMark and fixturesAnnotation tell packages with test charts.
	fixturesMark       = "fixtures"
	fixturesAnnotation = "wheelhouse.dev/fixtures"
)

func main() {
	out := flag.String("out", "dist/charts", "folder for the packages")
	lock := flag.String("lock", chart.LockName, "the lock of third-party charts, as `wheelhouse deps lock` writes it")
	withFixtures := flag.Bool("fixtures", false, "take third-party charts from "+fixtures)
	flag.Parse()
	if err := run(*out, *lock, *withFixtures); err != nil {
		fmt.Fprintln(os.Stderr, "package charts:", err)
		os.Exit(1)
	}
}

func run(out, lock string, withFixtures bool) error {
	shelf, err := openShelf(lock)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CHART\tPACKAGE\tLEFT OUT")
	for _, folder := range []string{"conversion", "crds", "platform", "chrek"} {
		c, err := open(folder, shelf, withFixtures)
		if err != nil {
			return err
		}
		data, err := c.Package()
		if err != nil {
			return err
		}
		file := filepath.Join(out, c.FileName())
		if err := os.WriteFile(file, data, 0o644); err != nil {
			return err
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", c, file, strings.Join(names(c.Omitted()), ", "))
	}
	return w.Flush()
}

func openShelf(file string) (shelf chart.Shelf, err error) {
	if shelf.Lock, err = chart.ReadLock(file); err != nil || len(shelf.Lock.Charts) == 0 {
		return shelf, err
	}
	shelf.Cache.Dir, err = chart.DefaultCacheDir()
	return shelf, err
}

// open loads one of our charts with the third-party charts that are at hand.
func open(folder string, shelf chart.Shelf, withFixtures bool) (*chart.Chart, error) {
	c, err := chart.OpenFS(charts.FS(), folder)
	if err != nil {
		return nil, err
	}
	find := func(d chart.Dependency) (*chart.Chart, error) { return shelf.Find(d, nil) }
	if withFixtures {
		find = func(d chart.Dependency) (*chart.Chart, error) { return chart.Open(filepath.Join(fixtures, d.Name)) }
	}
	var found []*chart.Chart
	for _, d := range c.ThirdParty() {
		sub, err := find(d)
		if err != nil {
			return nil, err
		}
		if sub != nil {
			found = append(found, sub)
		}
	}
	if len(found) == 0 {
		return c, nil
	}
	with, err := c.With(found)
	if err != nil || !withFixtures {
		return with, err
	}
	return with.Marked(fixturesMark, fixturesAnnotation, strings.Join(names(c.ThirdParty()), ","))
}

func names(deps []chart.Dependency) []string {
	var out []string
	for _, d := range deps {
		out = append(out, d.Name)
	}
	return out
}
