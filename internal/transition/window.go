package transition

import (
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/Masterminds/semver/v3"
	"sigs.k8s.io/yaml"
)

// Window says which versions of others go with one version of the platform.
type Window struct {
	// Platform is the version of the platform's chart.
	Platform string `json:"platform"`
	// Runtime is the range of the runtime's versions, and Because why it is that.
	Runtime string `json:"runtime"`
	Because string `json:"because"`
	// Charts are ranges of dependencies, by the name of the chart.
	Charts map[string]string `json:"charts"`

	runtime *semver.Constraints
	charts  map[string]*semver.Constraints
}

//go:embed window.yaml
var window []byte

// Windows are those of this program. A file that is wrong is a bug, which a test finds.
var Windows = sync.OnceValues(func() ([]Window, error) { return parseWindows(window) })

func parseWindows(data []byte) (windows []Window, err error) {
	if err := yaml.UnmarshalStrict(data, &windows); err != nil {
		return nil, err
	}
	for i := range windows {
		w := &windows[i]
		if w.Platform == "" || w.Because == "" || len(w.Charts) == 0 {
			return nil, fmt.Errorf("windows[%d]: platform, because and charts must say something", i)
		}
		if w.runtime, err = constraint(w.Runtime); err != nil {
			return nil, fmt.Errorf("windows[%d]: runtime: %w", i, err)
		}
		w.charts = map[string]*semver.Constraints{}
		for _, chart := range slices.Sorted(maps.Keys(w.Charts)) {
			if w.charts[chart], err = constraint(w.Charts[chart]); err != nil {
				return nil, errors.Join(err, fmt.Errorf("windows[%d]: charts.%s", i, chart))
			}
		}
	}
	return windows, nil
}

// Outside says why a dependency does not belong to a version of the platform;
// empty if it does, or if no window is about such a chart.
func Outside(platform, chart, version string) string {
	windows, err := Windows()
	if err != nil {
		return unreadable(err)
	}
	if !slices.ContainsFunc(windows, func(w Window) bool { return w.Charts[chart] != "" }) {
		return ""
	}
	w, known := windowOf(windows, platform)
	fits, said := w.charts[chart]
	switch {
	case !known || !said:
		return fmt.Sprintf("nobody has said which %s goes with version %s of the platform", chart, platform)
	case within(fits, version):
		return ""
	}
	return fmt.Sprintf("version %s of the platform was made for %s %s, and nobody knows whether it works with %s", platform, chart, w.Charts[chart], version)
}

// OutsideRuntime says why a version of the runtime does not belong to one of the
// platform; empty if it does, or if it is no version. What follows a dash, as in
// 1.0.0-cuda13, is a flavour of that version.
func OutsideRuntime(platform, version string) string {
	windows, err := Windows()
	if err != nil {
		return unreadable(err)
	}
	w, known := windowOf(windows, platform)
	plain, _, _ := strings.Cut(version, "-")
	if _, err := semver.NewVersion(version); err != nil || !known || within(w.runtime, plain) {
		return ""
	}
	return fmt.Sprintf("the runtime is of version %s, and version %s of the platform goes with %s: %s", version, platform, w.Runtime, w.Because)
}

func unreadable(err error) string {
	return fmt.Sprintf("what this program knows of versions cannot be read: %v", err)
}

func windowOf(windows []Window, platform string) (Window, bool) {
	i := slices.IndexFunc(windows, func(w Window) bool { return w.Platform == platform })
	if i < 0 {
		return Window{}, false
	}
	return windows[i], true
}

func within(c *semver.Constraints, version string) bool {
	v, err := semver.NewVersion(version)
	return err == nil && c.Check(v)
}
