package report

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Status prints how a fleet is: a verdict, what is broken first, and the next
// command. Wide also has what is the same in most rows.
func Status(w io.Writer, s *rollout.Status, wide bool) error {
	if _, err := fmt.Fprintf(w, "%s\n\n", wrap(w, statusVerdict(s))); err != nil {
		return err
	}
	header, rows := releaseCells(s, worstReleasesFirst(s), wide)
	if err := Table(uncut(w, wide), header, rows); err != nil {
		return err
	}
	if err := gapAndTable(w, graphHeader, graphCells(worstGraphsFirst(s))); err != nil {
		return err
	}
	if err := gapAndTable(w, agentHeader, agentCells(shownAgents(s, wide))); err != nil {
		return err
	}
	if wide {
		if err := gapAndTable(uncut(w, wide), runningHeader, runningCells(s.Running)); err != nil {
			return err
		}
		if err := gapAndTable(uncut(w, wide), volumeHeader, volumeCells(s.Volumes)); err != nil {
			return err
		}
	}
	if err := gapAndTable(w, othersHeader, othersCells(s.Others)); err != nil {
		return err
	}
	if err := statusNotes(w, s); err != nil {
		return err
	}
	if next := nextCommand(s); next != "" {
		_, err := fmt.Fprintf(w, "\nNext: %s\n", next)
		return err
	}
	return nil
}

// gapAndTable prints a table behind an empty line; nothing if it has no rows.
func gapAndTable(w io.Writer, header []string, rows [][]string) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	return Table(w, header, rows)
}

// shownAgents are those that are not ready; wide also has the others.
func shownAgents(s *rollout.Status, wide bool) []rollout.Agent {
	agents := slices.Clone(s.Agents)
	if !wide {
		return slices.DeleteFunc(agents, func(a rollout.Agent) bool { return a.Ready })
	}
	slices.SortStableFunc(agents, func(a, b rollout.Agent) int { return cmp.Compare(yesNo(a.Ready), yesNo(b.Ready)) })
	return agents
}

var agentHeader = []string{"CHECKPOINT AGENT", "NAMESPACE", "READY", "RESTARTS", "REASON", "AGE"}

// agentCells lists checkpoint agents by their nodes.
func agentCells(agents []rollout.Agent) [][]string {
	rows := make([][]string, 0, len(agents))
	for _, a := range agents {
		rows = append(rows, []string{orDash(a.Node), a.Namespace, yesNo(a.Ready), strconv.Itoa(a.Restarts), orDash(a.Message), Age(a.Created)})
	}
	return rows
}

var runningHeader = []string{"RUNNING IMAGE", "READY", "NAMESPACES"}

// runningCells lists images once: two of one repository are a skew that can be seen.
func runningCells(running []rollout.Running) [][]string {
	type counted struct {
		ready, all int
		where      []string
	}
	images := map[string]*counted{}
	for _, r := range running {
		c := images[r.Image]
		if c == nil {
			c = &counted{}
			images[r.Image] = c
		}
		c.ready, c.all, c.where = c.ready+r.Ready, c.all+r.Containers, append(c.where, r.Namespace)
	}
	rows := make([][]string, 0, len(images))
	for _, image := range slices.Sorted(maps.Keys(images)) {
		c := images[image]
		rows = append(rows, []string{image, fmt.Sprintf("%d/%d", c.ready, c.all), few(c.where)})
	}
	return rows
}

var volumeHeader = []string{"NAMESPACE", "VOLUME CLAIM", "PHASE", "SIZE", "CLASS", "AGE"}

func volumeCells(volumes []rollout.Volume) [][]string {
	rows := make([][]string, 0, len(volumes))
	for _, v := range volumes {
		rows = append(rows, []string{v.Namespace, v.Claim, v.Phase, v.Size, orDash(v.Class), Age(v.Created)})
	}
	return rows
}

var othersHeader = []string{"OTHER FLEET", "NAMESPACE", "RELEASE", "CHART", "STATUS"}

// othersCells lists the releases of other fleets.
func othersCells(others []rollout.Record) [][]string {
	rows := make([][]string, len(others))
	for i, r := range others {
		rows[i] = []string{r.Fleet, r.Namespace, r.Name, cmp.Or(r.Chart, "(by another program)"), string(r.Status)}
	}
	return rows
}

// statusVerdict is one sentence that says whether all is well.
func statusVerdict(s *rollout.Status) string {
	missing, waiting, differing := 0, 0, 0
	for _, r := range s.Releases {
		switch {
		case r.Status == rollout.StatusMissing:
			missing++
		case !r.Ready:
			waiting++
		case r.Differs != "":
			differing++
		}
	}
	total := len(s.Releases)
	var parts []string
	add := func(n int, is, are string) {
		if n > 0 {
			parts = append(parts, share(n, total, "release", is, are))
		}
	}
	add(missing, "is not installed", "are not installed")
	add(waiting, "is not ready", "are not ready")
	add(differing, "is not as the file wants it", "are not as the file wants them")
	if n := len(s.Releases) - missing - waiting - differing; len(parts) == 0 && n > 0 {
		parts = append(parts, "all is ready")
		if s.Compared() {
			parts[0] += " and as the file wants it"
		}
	}
	if n := unready(s.Graphs); n > 0 {
		parts = append(parts, share(n, len(s.Graphs), "graph", "is not ready", "are not ready"))
	}
	text := fmt.Sprintf("Fleet %s on %s: %s.", s.Fleet, s.Cluster, strings.Join(parts, ", "))
	if s.FileUnread {
		text += " The fleet file has problems, so nothing is said of what it wants."
	}
	if s.Unread != "" {
		text += " Nothing is said of what the file wants: " + s.Unread + "."
	}
	return text
}

// share is "2 of 8 releases are …", or "1 of 1 release is …".
func share(n, total int, what, is, are string) string {
	verb := are
	if n == 1 {
		verb = is
	}
	return fmt.Sprintf("%d of %s %s", n, count(total, what), verb)
}

func unready(graphs []rollout.Graph) int {
	n := 0
	for _, g := range graphs {
		if !g.Ready {
			n++
		}
	}
	return n
}

// nextCommand is what a person most likely does next; empty if nothing is to be
// done.
func nextCommand(s *rollout.Status) string {
	waits := slices.ContainsFunc(s.Releases, func(r rollout.ReleaseStatus) bool { return r.Status != rollout.StatusMissing && !r.Ready })
	switch {
	case s.FileUnread:
		return "wheelhouse validate"
	case slices.ContainsFunc(s.Releases, func(r rollout.ReleaseStatus) bool { return r.Differs != "" }):
		return "wheelhouse apply"
	case waits:
		return "wheelhouse status --watch"
	default:
		return ""
	}
}

// nextCommands are all that a person may want to do: the most likely first, then
// those about releases that the file does not name.
func nextCommands(s *rollout.Status) (out []string) {
	if next := nextCommand(s); next != "" {
		out = append(out, next)
	}
	if len(s.Orphans) > 0 {
		out = append(out, prune)
	}
	for _, o := range s.Unproven {
		out = append(out, look(o))
	}
	return out
}

// prune is the command that removes what the file no longer names.
const prune = "wheelhouse apply --prune"

// look is the command that shows a release that claims to be ours.
func look(r rollout.Record) string {
	return fmt.Sprintf("helm -n %s get manifest %s", r.Namespace, r.Name)
}

func worstReleasesFirst(s *rollout.Status) []rollout.ReleaseStatus {
	releases := slices.Clone(s.Releases)
	slices.SortStableFunc(releases, func(a, b rollout.ReleaseStatus) int { return cmp.Compare(severity(a), severity(b)) })
	return releases
}

// releaseCells is the table of releases; wide also has what is the same in most rows.
func releaseCells(s *rollout.Status, releases []rollout.ReleaseStatus, wide bool) (header []string, rows [][]string) {
	header = []string{"NAMESPACE", "RELEASE", "REV", "STATUS", "READY", "FILE", "AGE"}
	if wide {
		header = append(header, "CHART", "CERTIFICATE")
	}
	for _, r := range releases {
		row := []string{r.Namespace, r.Name, number(r.Revision), string(r.Status), readyCell(r), fileCell(s, r), Age(r.Updated)}
		if wide {
			row = append(row, orDash(r.Chart), validFor(r.Certificate()))
		}
		rows = append(rows, row)
	}
	return header, rows
}

// severity puts what is broken first.
func severity(r rollout.ReleaseStatus) int {
	switch {
	case r.Status == rollout.StatusMissing:
		return 1
	case !r.Ready:
		return 0
	case !r.Healthy():
		return 2
	default:
		return 3
	}
}

func readyCell(r rollout.ReleaseStatus) string {
	switch {
	case r.Status == rollout.StatusMissing:
		return "-"
	case r.Gate != "":
		return "waits"
	default:
		return "ready"
	}
}

func fileCell(s *rollout.Status, r rollout.ReleaseStatus) string {
	switch {
	case !s.Compared():
		return "-"
	case r.Differs != "":
		return "differs"
	default:
		return "same"
	}
}

// validFor writes how long a certificate is still good.
func validFor(c *rollout.Certificate) string {
	switch {
	case c == nil:
		return "-"
	case c.Expires.IsZero():
		return "none"
	case !c.Expires.After(time.Now()):
		return "expired"
	default:
		return Age(time.Now().Add(-time.Until(c.Expires)))
	}
}

func worstGraphsFirst(s *rollout.Status) []rollout.Graph {
	graphs := slices.Clone(s.Graphs)
	slices.SortStableFunc(graphs, func(a, b rollout.Graph) int { return cmp.Compare(yesNo(a.Ready), yesNo(b.Ready)) })
	return graphs
}

var graphHeader = []string{"NAMESPACE", "GRAPH", "READY", "REASON", "AGE"}

func graphCells(graphs []rollout.Graph) [][]string {
	rows := make([][]string, 0, len(graphs))
	for _, g := range graphs {
		rows = append(rows, []string{g.Namespace, g.Name, yesNo(g.Ready), orDash(g.Reason), Age(g.Created)})
	}
	return rows
}

// notes are what the tables have no room for, a line each, equal things once.
type notes struct {
	gates, drift, certificates, optional, graphs, left []string
}

func notesOf(s *rollout.Status) notes {
	var gates, drift, certificates, optional, graphs grouped
	for _, r := range s.Releases {
		if r.Status != rollout.StatusMissing && r.Gate != "" {
			gates.add(r.Namespace, r.Name, r.Gate)
		}
		if r.Status != rollout.StatusMissing && r.Differs != "" {
			drift.add(r.Namespace, r.Name, "differs from the file: "+r.Differs)
		}
		if c := r.Certificate(); c != nil && c.Warning(time.Now()) != "" {
			certificates.add(r.Namespace, r.Name, c.Warning(time.Now()))
		}
		for _, note := range r.Optional {
			optional.add(r.Namespace, r.Name, note)
		}
	}
	for _, g := range s.Graphs {
		if !g.Ready && g.Message != "" {
			graphs.add(g.Namespace, "graph "+g.Name, g.Message)
		}
	}
	return notes{gates.lines(), drift.lines(), certificates.lines(), optional.lines(), graphs.lines(), unnamed(s)}
}

// unnamed tells of releases that the file does not name.
func unnamed(s *rollout.Status) (lines []string) {
	if n := len(s.Orphans); n > 0 {
		names := make([]string, 0, n)
		for _, o := range s.Orphans {
			names = append(names, o.String())
		}
		lines = append(lines, fmt.Sprintf("%s of this fleet: the file no longer names %s; remove with `%s`", count(n, "release"), few(names), prune))
	}
	for _, o := range s.Unproven {
		lines = append(lines, fmt.Sprintf("release %s claims to belong to this fleet, but is not in its journal; look at it with `%s`", o.Key, look(o)))
	}
	return lines
}

// statusNotes prints what the tables have no room for.
func statusNotes(w io.Writer, s *rollout.Status) error {
	n := notesOf(s)
	for i, line := range slices.Concat(n.gates, n.drift, n.certificates, n.optional, n.graphs, n.left) {
		if i == 0 {
			line = "\n" + line
		}
		if _, err := fmt.Fprintln(w, wrap(w, line)); err != nil {
			return err
		}
	}
	return nil
}
