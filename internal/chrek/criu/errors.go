package criu

import (
	"os"
	"path/filepath"
	"strings"
)

const logFile = "criu.log"

// reason are the last errors of CRIU's log, in one line.
func reason(dir string) string {
	content, err := os.ReadFile(filepath.Join(dir, logFile))
	if err != nil {
		return "CRIU has left no log"
	}
	return lastErrors(string(content))
}

func lastErrors(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		if _, text, isError := strings.Cut(line, "Error ("); isError {
			if _, said, ok := strings.Cut(text, "): "); ok {
				found = append(found, strings.TrimSpace(said))
			}
		}
	}
	if len(found) == 0 {
		return "CRIU's log has no error"
	}
	return strings.Join(found[max(0, len(found)-4):], "; ")
}

// remedies are for what cannot be seen before the process stands still, by CRIU's words.
var remedies = map[string]string{
	"Unsupported proto 262": "the process has a socket of MPTCP; set GODEBUG=multipathtcp=0 for a Go program, or net.mptcp.enabled=0 in the pod",
}

// remedy is what to do about an error of CRIU, "" if that is not known.
func remedy(errors string) string {
	for words, what := range remedies {
		if strings.Contains(errors, words) {
			return what
		}
	}
	return ""
}
