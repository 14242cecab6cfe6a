package report

import (
	"embed"
	"html/template"
	"strings"
	"time"
)

//go:embed page.html page_plan.html page_status.html
var pageFiles embed.FS

// pageTemplate is the layout that all pages share, with the body of one. It escapes
// whatever comes from the cluster or a file; only a drawing, which is made here, is
// taken as it is.
func pageTemplate(body string) *template.Template {
	named := template.New("page.html").Funcs(template.FuncMap{"spans": spans})
	return template.Must(named.ParseFS(pageFiles, "page.html", body))
}

// page is what every page has: a verdict first, and last what to do next.
type page struct {
	Title, Verdict string
	Well           bool
	Made           time.Time
	Body           any
	Next           []string
}

// pageText makes texts fit for a page.
type pageText struct {
	commands func(string) string
}

// longestText is how many characters a page shows of one text, so that nobody fills
// it with a message.
const longestText = 4000

// prose is a text with the commands as this run was called.
func (t pageText) prose(text string) string {
	runes := []rune(Clean(t.commands(text)))
	if len(runes) > longestText {
		return string(runes[:longestText]) + "… (cut here)"
	}
	return string(runes)
}

// all are texts, each fit for a page.
func (t pageText) all(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, text := range texts {
		out = append(out, t.prose(text))
	}
	return out
}

// command is a command as it works when typed.
func (t pageText) command(text string) string {
	return strings.TrimPrefix(t.prose("Next: "+text), "Next: ")
}

// pageList is lines under a heading.
type pageList struct {
	Heading string
	Lines   []string
}

// pageTable is a table on a page.
type pageTable struct {
	Caption string
	Columns []string
	Rows    []pageRow
}

// pageRow is one row; Attention says that it is one to look at, which its words say
// as well.
type pageRow struct {
	Attention bool
	Cells     []pageCell
}

// pageCell is one cell. Names says that it is part of the name of what the row is
// about.
type pageCell struct {
	Column, Text string
	Names        bool
}

// table is a table of the terminal as one of a page; the first columns name what a
// row is about. Nil if there are no rows.
func (t pageText) table(caption string, names int, header []string, rows [][]string, attention func(row int) bool) *pageTable {
	if len(rows) == 0 {
		return nil
	}
	out := &pageTable{Caption: caption}
	for _, column := range header {
		// Capitals are spelt by what reads a page aloud.
		out.Columns = append(out.Columns, column[:1]+strings.ToLower(column[1:]))
	}
	for i, row := range rows {
		cells := make([]pageCell, 0, len(row))
		for c, text := range row {
			cells = append(cells, pageCell{out.Columns[c], t.prose(strings.Join(strings.Fields(text), " ")), c < names})
		}
		out.Rows = append(out.Rows, pageRow{attention(i), cells})
	}
	return out
}

// span is a part of a text that is code or is not.
type span struct {
	Code bool
	Text string
}

// spans cuts a text at its backticks; one without its other half stays a sign.
func spans(text string) []span {
	parts := strings.Split(text, "`")
	if len(parts)%2 == 0 {
		return []span{{Text: text}}
	}
	out := make([]span, 0, len(parts))
	for i, part := range parts {
		out = append(out, span{i%2 == 1, part})
	}
	return out
}
