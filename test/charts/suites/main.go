// Command suites proves that the suites in the charts hold the charts to their
// values: for each key that a chart knows there is a test that fails without
// it. It takes the key out of a test that sets it, for each such test, and has
// helm-unittest run all of these mutants at once. One of a key's must fail.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
)

func main() {
	unittest := flag.String("helm-unittest", "bin/helm-unittest", "the helm-unittest to run")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, *unittest, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, unittest string, folders []string) (err error) {
	dir, err := os.MkdirTemp("", "suites")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var charts []*chart
	for _, folder := range folders {
		c, err := openChart(folder)
		if err != nil {
			return err
		}
		if err := c.writeMutants(filepath.Join(dir, fmt.Sprint(len(charts)))); err != nil {
			return err
		}
		charts = append(charts, c)
	}
	failed, err := failing(ctx, unittest, dir, len(charts))
	if err != nil {
		return err
	}
	return report(out, charts, failed)
}

// report prints how many keys and templates are covered. Less than all is an error.
func report(out io.Writer, charts []*chart, failed map[string]bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "CHART\tTESTS\tKEYS COVERED\tTEMPLATES COVERED\tMUTANTS")
	var problems []string
	for number, c := range charts {
		for _, m := range c.mutants {
			if fails, ran := failed[m.id(number)]; !ran || fails && m.key == "" {
				return fmt.Errorf("%s: the suite %q does not pass as it is, or was not run", c.name, m.suite["suite"])
			}
		}
		keys, templates := c.unproved(number, failed), c.unseen()
		fmt.Fprintf(table, "%s\t%d\t%d/%d\t%d/%d\t%d\n", c.name, c.tests, len(c.keys)-len(keys), len(c.keys), len(c.templates)-len(templates), len(c.templates), len(c.mutants)-c.suites)
		for _, key := range keys {
			problems = append(problems, fmt.Sprintf("%s: no test fails without %s", c.name, key))
		}
		for _, template := range templates {
			problems = append(problems, fmt.Sprintf("%s: no suite looks into %s", c.name, template))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "\n"))
	}
	return nil
}

// unproved lists the keys that no test's outcome depends on.
func (c *chart) unproved(number int, failed map[string]bool) []string {
	return slices.DeleteFunc(slices.Clone(c.keys), func(key string) bool {
		return slices.ContainsFunc(c.mutants, func(m mutant) bool { return m.key == key && failed[m.id(number)] })
	})
}

func (c *chart) unseen() []string {
	return slices.DeleteFunc(slices.Clone(c.templates), func(template string) bool { return c.seen[template] })
}
