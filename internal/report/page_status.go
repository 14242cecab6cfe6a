package report

import (
	"io"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

var statusTemplate = pageTemplate("page_status.html")

// statusBody is what a page says of a status.
type statusBody struct {
	Unread                                             string
	Releases, Graphs, Agents, Running, Volumes, Others *pageTable
	// OfReleases and OfGraphs say why something is as the tables say.
	OfReleases, OfGraphs []pageList
	Findings             pageList
}

// FileSays is what reading a fleet file tells: warnings, or why it cannot be read.
type FileSays struct {
	Warnings check.Findings
	Unread   error
}

// StatusPage writes how a fleet is as one page of HTML. It needs no other file and no
// network. Commands adapts those that it suggests.
func StatusPage(w io.Writer, s *rollout.Status, file FileSays, commands func(string) string, now time.Time) error {
	text, notes := pageText{commands}, notesOf(s)
	releases, graphs := worstReleasesFirst(s), worstGraphsFirst(s)
	agents := shownAgents(s, true)
	header, rows := releaseCells(s, releases, true)
	body := statusBody{
		Releases: text.table("What is broken comes first", 2, header, rows, func(row int) bool { return !releases[row].Healthy() }),
		Graphs:   text.table("What is not ready comes first", 2, graphHeader, graphCells(graphs), func(row int) bool { return !graphs[row].Ready }),
		Agents:   text.table("What is not ready comes first", 2, agentHeader, agentCells(agents), func(row int) bool { return !agents[row].Ready }),
		Running:  text.table("Two images of one repository are a skew", 1, runningHeader, runningCells(s.Running), func(int) bool { return false }),
		Volumes:  text.table("Volume claims beside graphs", 2, volumeHeader, volumeCells(s.Volumes), func(row int) bool { return s.Volumes[row].Phase != "Bound" }),
		Others:   text.table("Releases of other fleets", 3, othersHeader, othersCells(s.Others), func(int) bool { return false }),
		OfReleases: []pageList{
			{"Gates that are not open", text.all(notes.gates)},
			{"Certificates", text.all(notes.certificates)},
			{"Drift from the file", text.all(notes.drift)},
			{"Optional, and not ready", text.all(notes.optional)},
			{"Releases that the file does not name", text.all(notes.left)},
		},
		OfGraphs: []pageList{{"Graphs that are not ready", text.all(notes.graphs)}},
		Findings: pageList{Heading: "Findings"},
	}
	if file.Unread != nil {
		body.Unread = Clean(commands(file.Unread.Error()))
	}
	for _, f := range file.Warnings {
		body.Findings.Lines = append(body.Findings.Lines, text.prose(f.String()))
	}
	whole := page{Title: Clean("Status of fleet " + s.Fleet), Verdict: text.prose(statusVerdict(s)), Well: s.Healthy(), Made: now.UTC(), Body: body}
	for _, command := range nextCommands(s) {
		whole.Next = append(whole.Next, text.command(command))
	}
	return statusTemplate.Execute(w, whole)
}
