package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/wheelhouse-dev/wheelhouse/internal/doctor"
)

// Diagnosis prints what is wrong: a verdict, then each cause with what it explains
// below it, and last what could not be looked at.
func Diagnosis(w io.Writer, d *doctor.Diagnosis) error {
	p := printer{w: w}
	p.line(0, "%s", diagnosisVerdict(d))
	number := 0
	for _, f := range d.Findings {
		if !f.Note {
			number++
			p.line(0, "")
			p.finding(0, fmt.Sprintf("%d. ", number), f)
		}
	}
	first := true
	for _, f := range d.Findings {
		if !f.Note {
			continue
		}
		if first {
			p.line(0, "")
			p.line(0, "Not looked at, so nothing is said of it:")
			first = false
		}
		p.line(2, "%s: %s", f.At, f.Seen)
		p.line(4, "Next: %s", commandLine(f.Next))
	}
	return p.err
}

// printer prints lines until one fails.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) line(indent int, format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(strings.Repeat(" ", indent)+fmt.Sprintf(format, args...), " "))
	}
}

func (p *printer) finding(indent int, bullet string, f doctor.Finding) {
	p.line(indent, "%s%s: %s", bullet, f.At, f.Says)
	inner := indent + 4
	if f.Seen != "" {
		p.line(inner, "Seen: %s", f.Seen)
	}
	p.line(inner, "Next: %s", commandLine(f.Next))
	p.line(inner, "Page: %s", f.Page)
	if len(f.Explains) == 0 {
		return
	}
	p.line(inner, "This explains:")
	for _, below := range f.Explains {
		p.finding(inner, "- ", below)
	}
}

// commandLine writes a command as a shell reads it.
func commandLine(c doctor.Command) string {
	words := make([]string, len(c))
	for i, word := range c {
		words[i] = Quote(word)
	}
	return strings.Join(words, " ")
}

func diagnosisVerdict(d *doctor.Diagnosis) string {
	causes, explained := 0, 0
	for _, f := range d.Findings {
		if !f.Note {
			causes++
			explained += below(f)
		}
	}
	where := count(len(d.Namespaces), "namespace")
	if n := len(d.Namespaces); n > 0 && n <= 3 {
		where = strings.Join(d.Namespaces, ", ")
	}
	wrong := state(causes, "thing", "is wrong", "are wrong")
	switch {
	case causes == 0 && len(d.Namespaces) == 0:
		return d.Cluster + ": no platform was found. Name a namespace with -n, or a fleet file with -f."
	case causes == 0:
		wrong = "nothing was found to be wrong"
	case explained > 0:
		wrong += fmt.Sprintf(", which %s %d more", verb(causes, "explains", "explain"), explained)
	}
	return fmt.Sprintf("%s: %s. Looked at: %s.", d.Cluster, wrong, where)
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func below(f doctor.Finding) int {
	n := len(f.Explains)
	for _, e := range f.Explains {
		n += below(e)
	}
	return n
}
