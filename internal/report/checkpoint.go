package report

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
)

// CheckpointTable prints what is stored, one a row.
func CheckpointTable(w io.Writer, all []artifact.Entry) error {
	var rows [][]string
	for _, e := range all {
		age, pod := "-", "-"
		if m := e.Manifest; m != nil {
			age, pod = Age(m.Taken), m.Pod
		}
		rows = append(rows, []string{e.ID, age, mebibytes(e.Size), orDash(pod), orDash(e.NeededBy), orDash(e.Problem)})
	}
	return Table(w, []string{"ID", "AGE", "SIZE", "OF POD", "NEEDED BY", "PROBLEM"}, rows)
}

// CheckpointFacts prints all that is known of one, as far as people can use it.
func CheckpointFacts(w io.Writer, e artifact.Entry) error {
	rows := [][]string{}
	for _, fact := range facts(e) {
		rows = append(rows, []string{fact.name, fact.value})
	}
	return Table(w, []string{"FACT", "VALUE"}, rows)
}

// CheckpointDifference is a fact in which two artifacts differ.
type CheckpointDifference struct {
	Fact  string `json:"fact"`
	Left  string `json:"left"`
	Right string `json:"right"`
}

// CheckpointDifferences compares two artifacts, down to the digests of their files.
func CheckpointDifferences(left, right artifact.Entry) []CheckpointDifference {
	values := map[string]*CheckpointDifference{}
	var order []string
	value := func(name string) *CheckpointDifference {
		if values[name] == nil {
			values[name] = &CheckpointDifference{Fact: name}
			order = append(order, name)
		}
		return values[name]
	}
	for _, fact := range slices.Concat(facts(left), files(left)) {
		value(fact.name).Left = fact.value
	}
	for _, fact := range slices.Concat(facts(right), files(right)) {
		value(fact.name).Right = fact.value
	}
	differ := []CheckpointDifference{}
	for _, name := range order {
		if d := values[name]; d.Left != d.Right && name != "id" {
			differ = append(differ, *d)
		}
	}
	return differ
}

// CheckpointDifferenceTable prints them.
func CheckpointDifferenceTable(w io.Writer, left, right string, differ []CheckpointDifference) error {
	rows := [][]string{}
	for _, d := range differ {
		rows = append(rows, []string{d.Fact, orDash(d.Left), orDash(d.Right)})
	}
	return Table(w, []string{"FACT", left, right}, rows)
}

type fact struct{ name, value string }

func facts(e artifact.Entry) []fact {
	all := []fact{{"id", e.ID}, {"size", mebibytes(e.Size)}, {"needed by", e.NeededBy}, {"problem", e.Problem}}
	m := e.Manifest
	if m == nil {
		return all
	}
	f := m.Facts
	all = append(all,
		fact{"taken", m.Taken.UTC().Format(time.RFC3339)}, fact{"of pod", m.Namespace + "/" + m.Pod}, fact{"container", m.Container}, fact{"node", m.Node},
		fact{"frozen", (time.Duration(m.Frozen) * time.Millisecond).String()}, fact{"memory", mebibytes(f.Memory)},
		fact{"image", f.Image}, fact{"command", strings.Join(f.Command, " ")}, fact{"user", f.UID}, fact{"kernel", f.Kernel}, fact{"CRIU", f.CRIU},
		fact{"processor", strings.Join(f.CPU, " ")}, fact{"mounts", strings.Join(f.Mounts, " ")})
	if r := f.Rights; r != nil {
		all = append(all, fact{"rights", fmt.Sprintf("capabilities %016x, no new privileges %t, seccomp %t", r.Capabilities, r.NoNewPrivileges, r.Seccomp)})
	}
	for _, layer := range m.Layers {
		all = append(all, fact{"files of " + layer.Point, mebibytes(m.Files[layer.File].Size)})
	}
	return all
}

// files are what an artifact consists of, by digest.
func files(e artifact.Entry) []fact {
	if e.Manifest == nil {
		return nil
	}
	var all []fact
	for _, name := range slices.Sorted(maps.Keys(e.Manifest.Files)) {
		file := e.Manifest.Files[name]
		all = append(all, fact{name, fmt.Sprintf("%.12s, %d bytes", file.SHA256, file.Size)})
	}
	return all
}

func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
