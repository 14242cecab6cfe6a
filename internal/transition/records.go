package transition

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// Records are what is known, by the name of the chart.
type Records map[string]Record

// Record is what is known of one chart.
type Record struct {
	Chart string `json:"chart"`
	// To are the versions that somebody has looked at the ways to; ways to others
	// are unknown, so that a new version cannot pass by a wide range.
	To          []string     `json:"to"`
	Transitions []Transition `json:"transitions"`
}

// Transition is what is known of the ways from some versions to some others.
type Transition struct {
	Direction Direction `json:"direction"`
	// From and To are ranges, or versions if the verdict is safe.
	From    string   `json:"from"`
	To      string   `json:"to"`
	Verdict Verdict  `json:"verdict"`
	Because string   `json:"because,omitempty"`
	Steps   []string `json:"steps,omitempty"`
	Test    string   `json:"test,omitempty"`

	from, to *semver.Constraints
}

//go:embed records/*.yaml
var embedded embed.FS

// Embedded are the records of this program. A file that is wrong is a bug, which a
// test finds.
var Embedded = sync.OnceValues(func() (Records, error) { return Read(embedded, "records") })

// Read reads the records in a folder.
func Read(fsys fs.FS, folder string) (Records, error) {
	files, err := fs.Glob(fsys, path.Join(folder, "*.yaml"))
	if err != nil {
		return nil, err
	}
	out := Records{}
	for _, file := range files {
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			return nil, err
		}
		record, err := parse(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if path.Base(file) != record.Chart+".yaml" {
			return nil, fmt.Errorf("%s: it is about the chart %q, and must be called %s.yaml", file, record.Chart, record.Chart)
		}
		out[record.Chart] = record
	}
	return out, nil
}

// parse reads one record. What it says must be complete: a slip must not turn what
// is unknown into something better.
func parse(data []byte) (Record, error) {
	var record Record
	if err := yaml.UnmarshalStrict(data, &record); err != nil {
		return record, err
	}
	for _, version := range record.To {
		if _, err := semver.NewVersion(version); err != nil {
			return record, fmt.Errorf("to: %q: %w", version, err)
		}
	}
	var problems []error
	for i := range record.Transitions {
		if err := record.Transitions[i].check(); err != nil {
			problems = append(problems, fmt.Errorf("transitions[%d]: %w", i, err))
		}
	}
	return record, errors.Join(problems...)
}

// exact matches one version.
var exact = regexp.MustCompile(`^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`)

func (t *Transition) check() (err error) {
	if t.Direction != Up && t.Direction != Down {
		return fmt.Errorf("direction is %q; it must be up or down", t.Direction)
	}
	if t.from, err = constraint(t.From); err != nil {
		return fmt.Errorf("from: %w", err)
	}
	if t.to, err = constraint(t.To); err != nil {
		return fmt.Errorf("to: %w", err)
	}
	switch t.Verdict {
	case Safe:
		if t.Test == "" || !exact.MatchString(t.From) || !exact.MatchString(t.To) {
			return errors.New("safe is one version to one other, with the test that went that way")
		}
	case Manual:
		if t.Because == "" || len(t.Steps) == 0 {
			return errors.New("manual needs because and steps")
		}
	case Blocked, Unknown:
		if t.Because == "" {
			return fmt.Errorf("%s needs because", t.Verdict)
		}
	default:
		return fmt.Errorf("verdict is %q; it must be safe, manual, blocked or unknown", t.Verdict)
	}
	if t.Test != "" && t.Verdict != Safe {
		return errors.New("only safe has a test")
	}
	return nil
}

// constraint is a range that does not leave out what comes before a release, as
// 0.1.0-alpha.6 does: some charts have nothing else.
func constraint(text string) (*semver.Constraints, error) {
	c, err := semver.NewConstraint(text)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	c.IncludePrerelease = true
	return c, nil
}

func list(versions []string) string {
	if len(versions) == 0 {
		return "no version"
	}
	return strings.Join(versions, ", ")
}
