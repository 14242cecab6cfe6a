package report

import (
	"fmt"
	"html"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// Graph prints the steps of a plan, and which need which, in a language that draws
// graphs: mermaid, dot, or svg, which needs no other program.
func Graph(w io.Writer, p *rollout.Plan, language string) error {
	var text string
	switch language {
	case "mermaid":
		text = mermaid(p)
	case "dot":
		text = dot(p)
	case "svg":
		text = svg(p)
	default:
		return fmt.Errorf("graphs are drawn as mermaid, dot or svg, not %q", language)
	}
	_, err := io.WriteString(w, text)
	return err
}

// label is what a step is called: what it is about and what becomes of it.
func label(s rollout.Step) string { return Clean(s.ID) + ": " + string(s.Action) }

// style is how steps of one class are drawn: what fills their boxes, and what is
// around them.
type style struct{ class, fill, line string }

var (
	changing = style{"changes", "#d8f0dd", "#2b7a3d"}
	removing = style{"removes", "#fbdcdc", "#a02020"}
	staying  = style{"stays", "#eeeeee", "#888888"}
)

// styleOf tells steps apart by how far they reach.
func styleOf(s rollout.Step) style {
	switch {
	case s.Action == rollout.ActionUninstall || s.Action == rollout.ActionDelete:
		return removing
	case s.Action.Changes():
		return changing
	default:
		return staying
	}
}

// eachNeed calls with the numbers of a step and of one that it needs. Needs of
// which the plan has no step are met.
func eachNeed(p *rollout.Plan, call func(step, need int)) {
	numbers := map[string]int{}
	for i, s := range p.Steps {
		numbers[s.ID] = i
	}
	for i, s := range p.Steps {
		for _, id := range slices.Compact(slices.Sorted(slices.Values(s.Needs))) {
			if need, known := numbers[id]; known {
				call(i, need)
			}
		}
	}
}

func mermaid(p *rollout.Plan) string {
	var out strings.Builder
	out.WriteString("flowchart LR\n")
	for i, s := range p.Steps {
		// Mermaid takes the escapes of HTML, with its own sign for them.
		text := strings.NewReplacer("&#", "#", "&", "#").Replace(html.EscapeString(label(s)))
		fmt.Fprintf(&out, "  s%d[\"%s\"]:::%s\n", i, text, styleOf(s).class)
	}
	eachNeed(p, func(step, need int) { fmt.Fprintf(&out, "  s%d --> s%d\n", need, step) })
	for _, c := range []style{changing, removing, staying} {
		fmt.Fprintf(&out, "  classDef %s fill:%s,stroke:%s,color:#111\n", c.class, c.fill, c.line)
	}
	return out.String()
}

func dot(p *rollout.Plan) string {
	var out strings.Builder
	fmt.Fprintf(&out, "digraph %s {\n  rankdir=LR;\n  node [shape=box, style=filled, fontname=\"sans-serif\"];\n", strconv.Quote(Clean(p.Fleet)))
	for i, s := range p.Steps {
		drawn := styleOf(s)
		fmt.Fprintf(&out, "  s%d [label=%s, fillcolor=%q, color=%q];\n", i, strconv.Quote(label(s)), drawn.fill, drawn.line)
	}
	eachNeed(p, func(step, need int) { fmt.Fprintf(&out, "  s%d -> s%d;\n", need, step) })
	out.WriteString("}\n")
	return out.String()
}

// Sizes of a drawing, in pixels.
const (
	boxHeight = 28
	rowHeight = 40
	columnGap = 60
	margin    = 12
	// letter is the width of one in the font of the drawing, or a bit more.
	letter = 7
)

// svg puts a step in the first column behind all that it needs.
func svg(p *rollout.Plan) string {
	columns := columnsOf(p)
	rows, widths := make([]int, len(p.Steps)), []int{}
	used := []int{}
	for i, s := range p.Steps {
		for len(used) <= columns[i] {
			used, widths = append(used, 0), append(widths, 0)
		}
		rows[i] = used[columns[i]]
		used[columns[i]]++
		widths[columns[i]] = max(widths[columns[i]], runewidth.StringWidth(label(s))*letter+2*margin)
	}
	starts, right, below := make([]int, len(widths)), margin, margin
	for column, width := range widths {
		starts[column] = right
		right += width + columnGap
		below = max(below, margin+used[column]*rowHeight)
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" font-family="ui-monospace, monospace" font-size="11" role="img" aria-label="The steps, and which need which">`+"\n", max(right-columnGap+margin, 2*margin), below)
	middle := func(i int) int { return margin + rows[i]*rowHeight + boxHeight/2 }
	eachNeed(p, func(step, need int) {
		x1, x2 := starts[columns[need]]+widths[columns[need]], starts[columns[step]]
		half := (x1 + x2) / 2
		fmt.Fprintf(&out, `<path d="M%d %d C%d %d %d %d %d %d" fill="none" stroke="#888"/>`+"\n", x1, middle(need), half, middle(need), half, middle(step), x2, middle(step))
	})
	for i, s := range p.Steps {
		drawn := styleOf(s)
		x, y := starts[columns[i]], middle(i)-boxHeight/2
		fmt.Fprintf(&out, `<rect x="%d" y="%d" width="%d" height="%d" rx="4" fill="%s" stroke="%s"/><text x="%d" y="%d" fill="#111">%s</text>`+"\n",
			x, y, widths[columns[i]], boxHeight, drawn.fill, drawn.line, x+margin, middle(i)+4, html.EscapeString(label(s)))
	}
	out.WriteString("</svg>\n")
	return out.String()
}

// columnsOf is, for each step, how many steps must be done one after the other
// before it.
func columnsOf(p *rollout.Plan) []int {
	needs := make([][]int, len(p.Steps))
	eachNeed(p, func(step, need int) { needs[step] = append(needs[step], need) })
	columns := make([]int, len(p.Steps))
	seen := make([]bool, len(p.Steps))
	var place func(i int) int
	place = func(i int) int {
		if seen[i] {
			return columns[i]
		}
		seen[i] = true
		for _, need := range needs[i] {
			columns[i] = max(columns[i], place(need)+1)
		}
		return columns[i]
	}
	for i := range p.Steps {
		place(i)
	}
	return columns
}
