// Command table makes every attack that docs/security.md names, in whichever
// package its test stands, and prints what was tried, what must come of it and
// what came.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

const document = "docs/security.md"

// row is one line of the document's table.
type row struct {
	attack, expected string
	tests            []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "attacks:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	page, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	rows := read(string(page))
	if len(rows) == 0 {
		return fmt.Errorf("%s has no row that names a test", document)
	}
	packages, err := packagesOf(rows)
	if err != nil {
		return err
	}
	came, err := try(ctx, rows, packages)
	if err != nil {
		return err
	}
	return report(rows, came)
}

// read takes the rows whose last cell names tests.
func read(page string) []row {
	var rows []row
	name := regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
	for line := range strings.SplitSeq(page, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		if len(cells) != 3 {
			continue
		}
		r := row{attack: cells[0], expected: cells[1]}
		for _, found := range name.FindAllStringSubmatch(cells[2], -1) {
			r.tests = append(r.tests, found[1])
		}
		if len(r.tests) > 0 {
			rows = append(rows, r)
		}
	}
	return rows
}

// packagesOf are the folders that have the tests.
func packagesOf(rows []row) ([]string, error) {
	var wanted []string
	for _, r := range rows {
		wanted = append(wanted, r.tests...)
	}
	declaration := regexp.MustCompile(`(?m)^func (` + strings.Join(wanted, "|") + `)\(t \*testing\.T\)`)
	var packages []string
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if folder := "./" + filepath.Dir(path); declaration.Match(source) && !slices.Contains(packages, folder) {
			packages = append(packages, folder)
		}
		return err
	})
	return packages, err
}

// event is a line of `go test -json`.
type event struct{ Action, Test, Package, Output string }

// try runs the tests, one package after the other, and returns what came of each.
func try(ctx context.Context, rows []row, packages []string) (map[string]string, error) {
	var names []string
	for _, r := range rows {
		names = append(names, r.tests...)
	}
	args := append([]string{"test", "-json", "-count=1", "-p=1", "-run", "^(" + strings.Join(names, "|") + ")$"}, packages...)
	command := exec.CommandContext(ctx, "go", args...)
	command.Stderr = os.Stderr
	out, failure := command.Output()
	came := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read the output of go test: %w", err)
		}
		note(came, e)
	}
	if len(came) == 0 {
		return nil, fmt.Errorf("no test ran: %w", failure)
	}
	return came, lines.Err()
}

func note(came map[string]string, e event) {
	_, got, told := strings.Cut(e.Output, ": got: ")
	switch {
	case e.Action == "output" && told:
		came[e.Test] = strings.TrimSpace(got)
	case e.Action == "pass" && e.Test != "" && came[e.Test] == "":
		came[e.Test] = "held"
	case e.Action == "fail" && e.Test != "":
		came[e.Test] = strings.TrimSuffix("NOT HELD: "+came[e.Test], ": ")
	case e.Action == "output" && strings.Contains(e.Output, "FAIL"), e.Action == "output" && strings.Contains(e.Output, "_test.go:"):
		fmt.Print(e.Output)
	}
}

func report(rows []row, came map[string]string) error {
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(table, "ATTACK\tEXPECTED\tGOT")
	broken := 0
	for _, r := range rows {
		var got []string
		for _, test := range r.tests {
			switch result := came[test]; {
			case result == "":
				got = append(got, "NOT RUN: "+test)
			case !slices.Contains(got, result):
				got = append(got, result)
			}
		}
		if strings.Contains(strings.Join(got, "; "), "NOT ") {
			broken++
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.attack, r.expected, strings.Join(got, "; "))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if broken > 0 {
		return fmt.Errorf("%d of %d attacks did not hold", broken, len(rows))
	}
	return nil
}
