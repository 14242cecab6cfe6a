package transition

import (
	"strings"
	"testing"
	"testing/fstest"
)

// made are records as they could be, with a way of each kind.
func made(t *testing.T) Records {
	t.Helper()
	records, err := Read(fstest.MapFS{"r/x.yaml": {Data: []byte(`
chart: x
to: [2.0.0, v1.0.0, 2.1.0-rc.1]
transitions:
  - {direction: up, from: 1.0.0, to: 2.0.0, verdict: safe, test: TestJudge}
  - {direction: up, from: "<2.0.0", to: ">=2.0.0", verdict: manual, because: keys moved, steps: [move them]}
  - {direction: down, from: ">=2.0.0", to: "1.0.0", verdict: blocked, because: it loses data}
  - {direction: up, from: ">=2.0.0", to: "2.1.0-rc.1", verdict: unknown, because: nobody was there}
`)}}, "r")
	if err != nil {
		t.Fatal(err)
	}
	return records
}

func TestJudge(t *testing.T) {
	records := made(t)
	for _, test := range []struct {
		name, chart, from, to string
		want                  Verdict
		because               string
	}{
		{"the same", "x", "1.0.0", "1.0.0", Unchanged, ""},
		{"the same, written otherwise", "x", "1.0.0", "v1.0.0", Unchanged, ""},
		{"the same of an unknown chart", "y", "3", "3", Unchanged, ""},
		{"the very pair", "x", "1.0.0", "2.0.0", Safe, ""},
		{"the very pair, written otherwise", "x", "v1.0.0", "2.0.0", Safe, ""},
		{"one version beside", "x", "1.0.1", "2.0.0", Manual, "keys moved"},
		{"before a release", "x", "2.0.0-alpha.1", "2.0.0", Manual, "keys moved"},
		{"a downgrade has a way of its own", "x", "2.0.0", "1.0.0", Blocked, "it loses data"},
		{"a downgrade of which nothing is said", "x", "3.0.0", "2.0.0", Unknown, "no record speaks of x 3.0.0 to 2.0.0"},
		{"said to be unknown", "x", "2.0.0", "2.1.0-rc.1", Unknown, "nobody was there"},
		{"a wide range does not make a new version known", "x", "1.0.0", "2.2.0", Unknown, "nobody has looked at x 2.2.0; the records speak of ways to 2.0.0, v1.0.0, 2.1.0-rc.1"},
		{"another chart", "y", "1.0.0", "2.0.0", Unknown, "there are no records of the chart y"},
		{"no version", "x", "", "2.0.0", Unknown, `what is installed, "", is no version of the chart x`},
		{"a name in its place", "x", "z 1.0.0", "2.0.0", Unknown, `what is installed, "z 1.0.0", is no version of the chart x`},
		{"a range in its place", "x", "1.0.0", "^2", Unknown, `"^2" is no version of the chart x`},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := records.Judge(test.chart, test.from, test.to)
			if got.Verdict != test.want || got.Because != test.because {
				t.Errorf("%s, because %q; want %s, because %q", got.Verdict, got.Because, test.want, test.because)
			}
			if (got.Verdict == Safe) != (got.Test != "") || (got.Verdict == Manual) != (len(got.Steps) > 0) {
				t.Errorf("a test is for what is safe, and steps for what is manual: %+v", got)
			}
		})
	}
}

// A record that is not complete, or not understood, is refused as a whole.
func TestRecordsAreReadStrictly(t *testing.T) {
	const way = "chart: x\nto: [2.0.0]\ntransitions:\n  - "
	for name, test := range map[string]struct{ text, says string }{
		"an unknown key":         {"chart: x\nto: [2.0.0]\nupto: 3.0.0\n", `unknown field "upto"`},
		"a key of a transition":  {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: manual, why: x}", `unknown field "why"`},
		"another verdict":        {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: fine}", `verdict is "fine"`},
		"unchanged":              {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: unchanged}", `verdict is "unchanged"`},
		"no direction":           {way + "{from: 1.0.0, to: 2.0.0, verdict: blocked, because: x}", `direction is ""`},
		"no range":               {way + "{direction: up, to: 2.0.0, verdict: blocked, because: x}", "from:"},
		"a range that is none":   {way + "{direction: up, from: 'x.y', to: 2.0.0, verdict: blocked, because: x}", "from:"},
		"manual without steps":   {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: manual, because: x}", "manual needs because and steps"},
		"blocked without a why":  {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: blocked}", "blocked needs because"},
		"safe without a test":    {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: safe}", "with the test that went that way"},
		"safe from a range":      {way + "{direction: up, from: <2.0.0, to: 2.0.0, verdict: safe, test: TestX}", "safe is one version to one other"},
		"safe to a range":        {way + "{direction: up, from: 1.0.0, to: 2.x, verdict: safe, test: TestX}", "safe is one version to one other"},
		"a test of another":      {way + "{direction: up, from: 1.0.0, to: 2.0.0, verdict: blocked, because: x, test: TestX}", "only safe has a test"},
		"a version that is none": {"chart: x\nto: [two]\n", `to: "two"`},
		"a file of another name": {"chart: z\nto: [2.0.0]\n", "must be called z.yaml"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(fstest.MapFS{"r/x.yaml": {Data: []byte(test.text)}}, "r")
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}

func TestVersionsOfTheWindow(t *testing.T) {
	for _, test := range []struct{ platform, chart, version, says string }{
		{"1.0.0", "grove-charts", "v0.1.0-alpha.6", ""},
		{"1.0.0", "grove-charts", "v0.1.0-alpha.12", "was made for grove-charts 0.1.0-alpha.6"},
		{"1.0.0", "kai-scheduler", "v0.9.4", ""},
		{"1.0.0", "kai-scheduler", "v0.13.4", "nobody knows whether it works with v0.13.4"},
		{"1.0.0", "nats", "9.9.9", ""},
		{"9.9.9", "nats", "9.9.9", ""},
		{"9.9.9", "grove-charts", "v0.1.0-alpha.6", "nobody has said which grove-charts goes with version 9.9.9 of the platform"},
	} {
		if got := Outside(test.platform, test.chart, test.version); test.says == "" && got != "" || !strings.Contains(got, test.says) {
			t.Errorf("%s with %s %s: %q, want %q", test.platform, test.chart, test.version, got, test.says)
		}
	}
	for version, fits := range map[string]bool{"0.7.1": false, "0.8.0": true, "1.0.0": true, "1.1.2": true, "1.2.0": false, "0.8.0-cuda13": true, "1.2.0-rc.1": false, "my-own-tag": true, "": true} {
		if got := OutsideRuntime("1.0.0", version); (got == "") != fits {
			t.Errorf("runtime %q: %q", version, got)
		}
	}
	for _, text := range []string{"- {platform: 1.0.0}", "- {platform: 1.0.0, runtime: x.y, because: b, charts: {a: 1.0.0}}", "- {platform: 1.0.0, runtime: 1.x, because: b, charts: {a: y}}", "- {plattform: 1.0.0}"} {
		if _, err := parseWindows([]byte(text)); err == nil {
			t.Errorf("accepted: %s", text)
		}
	}
}
