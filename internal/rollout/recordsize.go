package rollout

import (
	"fmt"
	"strings"
)

// RecordLimit is how many bytes a Secret may hold, and so the record of a
// release.
const RecordLimit = 1 << 20

// recordWarning is the share of the limit, in percent, from which a record is
// worth a warning.
const recordWarning = 70

// RecordSize is how much room the record of a release takes.
type RecordSize struct {
	// Bytes is the size as Helm stores it.
	Bytes int `json:"bytes"`
	// Biggest names the templates that take most of it, the biggest first.
	Biggest []string `json:"biggest,omitempty"`
}

// Percent of the limit, rounded up.
func (r RecordSize) Percent() int { return (r.Bytes*100 + RecordLimit - 1) / RecordLimit }

func (r RecordSize) String() string {
	return fmt.Sprintf("its record takes %d of the %d KiB that a Secret may hold (%d %%), most of it for %s",
		(r.Bytes+1023)>>10, RecordLimit>>10, r.Percent(), strings.Join(r.Biggest, ", "))
}

// forecast warns of a record that is getting too big, before it is.
func (s *Step) forecast(releases Forecaster) error {
	size, err := releases.Forecast(s.target)
	if err != nil {
		return err
	}
	if size.Percent() >= recordWarning {
		s.RecordSize = &size
	}
	return nil
}

// oversized lists the releases that Helm could not record.
func (p *Plan) oversized() []string {
	var lines []string
	for _, step := range p.Steps {
		if step.RecordSize != nil && step.RecordSize.Bytes > RecordLimit {
			lines = append(lines, fmt.Sprintf("release %s: %s; leave templates or long texts out, or split the chart", step.Key, step.RecordSize))
		}
	}
	return lines
}
