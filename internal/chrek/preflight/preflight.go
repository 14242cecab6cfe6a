// Package preflight says whether a node can checkpoint and restore pods, and
// if not, which fact stands against it and what to do.
//
// Gathering the facts touches the node; the rules over them are pure.
package preflight

import "github.com/wheelhouse-dev/wheelhouse/internal/chrek/config"

// Facts is what the rules know about a node and the agent's place on it.
type Facts struct {
	Arch   string // as GOARCH
	Kernel string // release, such as 6.18.4-cloud

	CRIUVersion string
	CRIU        error // why there is no version

	OpenFiles uint64 // the agent's hard limit of open files
	NrOpen    uint64 // fs.nr_open

	Kubelet error // why its pod resources socket does not answer

	CgroupVersion   int    // 1 or 2; 0: none found
	IOUringDisabled string // kernel.io_uring_disabled; empty: the kernel has no such setting

	Storage error // why the checkpoint folder cannot be written to
	Seccomp error // why the profile is not in place
}

// Result is the outcome of one check.
type Result struct {
	Check string `json:"check"`
	// Required marks what the agent cannot do its present work without.
	Required bool `json:"required"`
	Passed   bool `json:"passed"`
	// Says is one sentence about what was found.
	Says string `json:"says"`
	// Fix is what to do about it; empty if the check passed.
	Fix string `json:"fix,omitempty"`
}

// Run applies every rule that concerns this configuration, in a fixed order.
func Run(facts Facts, cfg *config.AgentConfiguration) []Result {
	var results []Result
	for _, r := range rules {
		if r.onlyIf == nil || r.onlyIf(cfg) {
			found := r.find(facts, cfg)
			results = append(results, Result{r.check, r.required(cfg), found.fix == "", found.says, found.fix})
		}
	}
	return results
}

// Ready reports whether every required check passed.
func Ready(results []Result) bool {
	for _, r := range results {
		if r.Required && !r.Passed {
			return false
		}
	}
	return true
}
