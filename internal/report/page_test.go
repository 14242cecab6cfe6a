package report

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// hostile is what somebody may write into the status of an object of theirs.
const hostile = "</td></table></main><script>alert(1)</script><img src=x onerror=alert(2)> `code` {{.}} \x1b[2J \u202e \x00 \xff"

// reviewed has whatever the page of a plan shows.
func reviewed() *rollout.Plan {
	p := drawn()
	p.Ownership = []rollout.Ownership{
		{Release: team(0), Kind: "Service", Namespace: "team-00", Name: "nats", Standing: rollout.Adoptable, Owner: "kubectl", Reason: "made by hand, nothing owns it", Look: "kubectl -n team-00 get services nats -o yaml --show-managed-fields"},
		{Release: team(1), Kind: "ConfigMap", Namespace: "team-01", Name: "of-<others>", Standing: rollout.Foreign, Owner: "Argo CD", Reason: hostile, Look: "kubectl -n team-01 get configmaps 'of-<others>'"},
		{Release: team(1), Kind: "ConfigMap", Namespace: "team-01", Name: "of-ours", Standing: rollout.Ours},
	}
	for i := range 2 {
		p.Steps[i].Defaults = &rollout.DefaultChanges{From: "dynamo-platform-1.0.0", To: "dynamo-platform-1.1.0", Keys: []rollout.DefaultChange{{Path: "nats.enabled", Old: true, New: false, Deletes: []string{"StatefulSet/" + team(i).Namespace + "/nats"}}}}
	}
	return p
}

// attacked is a fleet with whatever the page of a status shows, and texts of tenants
// who want more than to be read.
func attacked() *rollout.Status {
	s := fleetStatus()
	s.Releases[0].Certificates = []rollout.Certificate{{Configuration: "ValidatingWebhookConfiguration/a"}}
	s.Releases[3].Optional = []string{"optional Deployment team-03/planner is not ready"}
	s.Releases[4].Gate = hostile
	s.Graphs = append(s.Graphs,
		rollout.Graph{Namespace: "team-02", Name: strings.Repeat("long-", 50) + "<b>", Reason: hostile, Message: hostile},
		rollout.Graph{Namespace: "team-03", Name: "endless", Message: strings.Repeat("m", 1<<20)})
	s.Orphans = []rollout.Record{{Key: team(7), Fleet: "prod"}}
	s.Unproven = []rollout.Record{{Key: team(8), Fleet: "prod"}}
	s.Others = []rollout.Record{{Key: team(9), Fleet: "</title><b>", Chart: "dynamo-platform-1.0.0", Status: "deployed"}}
	return s
}

var (
	adapted = Commands("kubectl wheelhouse", "-f 'my fleet.yaml'")
	// warned is what reading the file told.
	warned = FileSays{Warnings: check.Findings{{Rule: "W-18", Severity: check.Warning, Problem: fleet.Problem{Message: "image of <b>latest</b>"}}}}
)

// pages are those that are looked at below.
var pages = map[string]func(io.Writer) error{
	"plan":   func(w io.Writer) error { return PlanPage(w, reviewed(), adapted, noon) },
	"status": func(w io.Writer) error { return StatusPage(w, attacked(), warned, adapted, noon) },
	"unread": func(w io.Writer) error {
		s := attacked()
		s.FileUnread = true
		return StatusPage(w, s, FileSays{Unread: errors.New("fleet.yaml:3: " + hostile)}, adapted, noon)
	},
	"empty": func(w io.Writer) error {
		return StatusPage(w, &rollout.Status{Fleet: "prod"}, FileSays{}, adapted, noon)
	},
	"empty plan": func(w io.Writer) error { return PlanPage(w, &rollout.Plan{Fleet: "prod"}, adapted, noon) },
}

func eachPage(t *testing.T, look func(t *testing.T, text string)) {
	for name, write := range pages {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if err := write(&out); err != nil {
				t.Fatal(err)
			}
			look(t, out.String())
		})
	}
}

func TestGoldenPages(t *testing.T) {
	for _, name := range []string{"plan", "status"} {
		var out bytes.Buffer
		if err := pages[name](&out); err != nil {
			t.Fatal(err)
		}
		// The endless message is cut, and still is no golden text.
		text := regexp.MustCompile(`m{1000,}`).ReplaceAllString(out.String(), "mmm")
		golden(t, filepath.Join("testdata", "page", name+".html"), text)
	}
}

// A plan that cannot be carried out says why, and no command that would.
func TestThePageOfABlockedPlanSaysWhy(t *testing.T) {
	p := drawn()
	p.Steps[0].Changes = []rollout.Change{{Action: rollout.ChangeRefused, Kind: "Deployment", Name: "a", Reason: "a quota of <0>"}}
	var out bytes.Buffer
	if err := PlanPage(&out, p, Commands("wheelhouse", ""), noon); err != nil {
		t.Fatal(err)
	}
	if text := out.String(); !strings.Contains(text, "a quota of &lt;0&gt;") || !strings.Contains(text, "What stands in the way") || strings.Contains(text, "<li><code>wheelhouse apply") {
		t.Errorf("the page:\n%s", text)
	}
}

// A page asks nobody for anything, and runs nothing, whatever the texts are.
func TestPagesFetchAndRunNothing(t *testing.T) {
	eachPage(t, func(t *testing.T, text string) {
		for _, e := range elements(t, text) {
			switch e.name {
			case "script", "img", "link", "iframe", "object", "embed", "form", "a", "base":
				t.Errorf("an element <%s>", e.name)
			}
			for name, value := range e.attributes {
				if name == "src" || name == "href" || name == "style" || strings.HasPrefix(name, "on") {
					t.Errorf("<%s %s=%q>", e.name, name, value)
				}
			}
		}
		if outside := regexp.MustCompile(`url\(|@import`); outside.MatchString(text) {
			t.Error("the style fetches something")
		}
		if strings.ContainsAny(text, "\x00\x1b\u202e") {
			t.Error("what steers a terminal or turns text around is in it")
		}
	})
}

// Whoever hears a page, or reads it without colours, or enlarged, learns the same.
func TestPagesAreAccessible(t *testing.T) {
	eachPage(t, func(t *testing.T, text string) {
		count, level, columns := map[string]int{}, 0, 0
		for _, e := range elements(t, text) {
			count[e.name]++
			switch e.name {
			case "meta":
				expect(t, !regexp.MustCompile(`user-scalable|maximum-scale`).MatchString(e.attributes["content"]), "it cannot be enlarged")
			case "h1", "h2", "h3":
				next := int(e.name[1] - '0')
				expect(t, next <= level+1, "<%s> follows a heading of level %d", e.name, level)
				expect(t, strings.TrimSpace(e.text) != "", "an empty heading")
				level = next
			case "main", "header":
				expect(t, e.parent == "body", "<%s> is in <%s>", e.name, e.parent)
			case "table":
				expect(t, len(e.children) > 0 && e.children[0] == "caption", "a table begins with %v, not with its caption", e.children)
			case "th":
				expect(t, e.attributes["scope"] == "col" || e.attributes["scope"] == "row", "a header without scope")
			case "tr":
				if e.parent == "thead" {
					columns = len(e.children)
				}
				expect(t, len(e.children) == columns, "a row of %d cells under %d headers", len(e.children), columns)
				expect(t, e.children[0] == "th", "a row without a header")
			default:
				expectNamed(t, e)
			}
		}
		for _, once := range []string{"html", "title", "header", "main", "h1"} {
			expect(t, count[once] == 1, "%d of <%s>", count[once], once)
		}
	})
}

// expectNamed: what an element is must be said to whoever does not see it.
func expectNamed(t *testing.T, e *element) {
	t.Helper()
	switch e.name {
	case "html":
		expect(t, e.attributes["lang"] == "en", "no language")
	case "title":
		expect(t, e.text != "", "no title")
	case "details":
		expect(t, len(e.children) > 0 && e.children[0] == "summary", "details without a summary")
	case "svg":
		expect(t, e.attributes["role"] == "img" && e.attributes["aria-label"] != "", "a drawing without a name")
	case "div":
		expect(t, e.attributes["tabindex"] == "0" && e.attributes["role"] == "region" && e.attributes["aria-label"] != "", "what scrolls cannot be reached by keys")
	}
}

// Texts, and lines that mean something, can be told from what is behind them
// (WCAG 2.1: 4.5 and 3 to 1).
func TestColoursOfPagesHaveContrast(t *testing.T) {
	var out bytes.Buffer
	if err := pages["status"](&out); err != nil {
		t.Fatal(err)
	}
	schemes := regexp.MustCompile(`:root \{[^}]*\}`).FindAllString(out.String(), -1)
	if len(schemes) != 2 {
		t.Fatalf("%d schemes of colours, want a light and a dark one", len(schemes))
	}
	for i, scheme := range schemes {
		for name, least := range map[string]float64{"ink": 4.5, "faint": 4.5, "good": 3, "bad": 3, "line": 3} {
			for _, behind := range []string{"paper", "soft"} {
				if got := contrast(colour(t, scheme, name), colour(t, scheme, behind)); got < least {
					t.Errorf("scheme %d: --%s on --%s has a contrast of %.1f, want %.1f", i, name, behind, got, least)
				}
			}
		}
	}
	for _, s := range []style{changing, removing, staying} {
		if got := contrast(luminance(t, "#111111"), luminance(t, s.fill)); got < 4.5 {
			t.Errorf("text in the box of what %s has a contrast of %.1f", s.class, got)
		}
	}
	style, _, _ := strings.Cut(out.String(), "</style>")
	for _, found := range regexp.MustCompile(`(?:color|background|border[a-z-]*): ([^;}]+)`).FindAllStringSubmatch(style, -1) {
		expect(t, !strings.Contains(found[1], "#"), "%s is a colour that is not looked at here", found[0])
	}
}

func colour(t *testing.T, scheme, name string) float64 {
	t.Helper()
	found := regexp.MustCompile(`--` + name + `: (#[0-9a-f]{6})`).FindStringSubmatch(scheme)
	if found == nil {
		t.Fatalf("no --%s in %s", name, scheme)
	}
	return luminance(t, found[1])
}

// luminance is by WCAG 2.1.
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(hex[1+2*i:3+2*i], 16, 8)
		if err != nil {
			t.Fatal(err)
		}
		c := float64(n) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

// What fifty tenants have to say still is a page that is sent in a mail.
func TestPagesOfFiftyTenantsAreSmall(t *testing.T) {
	var object strings.Builder
	for i := range 1500 {
		fmt.Fprintf(&object, "key-%d: a value of NAMESPACE\n", i)
	}
	plan, status := &rollout.Plan{Fleet: "prod"}, &rollout.Status{Fleet: "prod"}
	for i := range 50 {
		s := step(rollout.StepRelease, i, rollout.ActionInstall)
		s.Changes = []rollout.Change{{Action: rollout.ChangeCreate, Kind: "ConfigMap", Namespace: team(i).Namespace, Name: "a", After: strings.ReplaceAll(object.String(), "NAMESPACE", team(i).Namespace)}}
		gate := step(rollout.StepGate, i, rollout.ActionWait)
		gate.Needs = []string{s.ID}
		plan.Steps = append(plan.Steps, s, gate)
		status.Releases = append(status.Releases, rollout.ReleaseStatus{Key: team(i), Status: "deployed", Gate: fmt.Sprintf("%d: %s", i, strings.Repeat("x", 1<<16)), Differs: "values changed"})
		for n := range 10 {
			status.Graphs = append(status.Graphs, rollout.Graph{Namespace: team(i).Namespace, Name: fmt.Sprintf("graph-%d", n), Reason: "some_resources_are_not_ready", Message: fmt.Sprintf("Worker: 0/%d ready: no node has room", i)})
		}
	}
	for name, write := range map[string]func(io.Writer) error{
		"plan":   func(w io.Writer) error { return PlanPage(w, plan, adapted, noon) },
		"status": func(w io.Writer) error { return StatusPage(w, status, FileSays{}, adapted, noon) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil {
			t.Fatal(err)
		}
		expect(t, out.Len() < 1<<20, "the page of a %s has %d KiB", name, out.Len()>>10)
	}
}

func expect(t *testing.T, holds bool, format string, a ...any) {
	t.Helper()
	if !holds {
		t.Errorf(format, a...)
	}
}

// element is one of a page, with its text and the names of what is directly in it.
type element struct {
	name, parent, text string
	attributes         map[string]string
	children           []string
}

// elements reads a page, in the order of its beginnings. What is opened must be closed.
func elements(t *testing.T, page string) (out []*element) {
	t.Helper()
	decoder := xml.NewDecoder(strings.NewReader(page))
	decoder.Strict, decoder.AutoClose, decoder.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []*element
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			expect(t, len(open) == 0, "%d elements are not closed", len(open))
			return out
		}
		if err != nil {
			t.Fatalf("not a page: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attributes: map[string]string{}}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = cmp.Or(a.Value, a.Name.Local)
			}
			if len(open) > 0 {
				e.parent = open[len(open)-1].name
				open[len(open)-1].children = append(open[len(open)-1].children, e.name)
			}
			out, open = append(out, e), append(open, e)
		case xml.EndElement:
			expect(t, open[len(open)-1].name == token.Name.Local, "<%s> is closed by </%s>", open[len(open)-1].name, token.Name.Local)
			open = open[:len(open)-1]
		case xml.CharData:
			for _, e := range open {
				e.text += string(token)
			}
		}
	}
}
