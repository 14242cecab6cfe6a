package cluster

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Request is an answered request of the API server's audit log.
type Request struct {
	Stage     string    `json:"stage"`
	Verb      string    `json:"verb"`
	URI       string    `json:"requestURI"`
	Agent     string    `json:"userAgent"`
	Received  time.Time `json:"requestReceivedTimestamp"`
	ObjectRef struct {
		Resource  string `json:"resource"`
		Namespace string `json:"namespace"`
		Name      string `json:"name"`
	} `json:"objectRef"`
	User struct {
		Username string `json:"username"`
	} `json:"user"`
	Response struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// Writes reports whether a request changes something; a dry run and a review
// of rights do not.
func (r Request) Writes() bool {
	return !slices.Contains([]string{"get", "list", "watch"}, r.Verb) &&
		!strings.Contains(r.URI, "dryRun=") && !strings.HasSuffix(r.ObjectRef.Resource, "reviews")
}

// Requests reads from the audit log what programs asked since a moment, a
// second after the last answer: the log is written behind. agent is the start
// of their user agent.
func (c *Cluster) Requests(agent string, since time.Time) ([]Request, error) {
	time.Sleep(time.Second)
	logs, err := filepath.Glob(filepath.Join(filepath.Dir(c.Kubeconfig), "audit*.log")) // those that are full, too
	if err != nil {
		return nil, err
	}
	var found []Request
	for _, log := range logs {
		requests, err := readLog(log, func(r Request) bool {
			return r.Stage == "ResponseComplete" && strings.HasPrefix(r.Agent, agent) && !r.Received.Before(since)
		})
		if err != nil {
			return nil, err
		}
		found = append(found, requests...)
	}
	return found, nil
}

func readLog(log string, wanted func(Request) bool) ([]Request, error) {
	f, err := os.Open(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var requests []Request
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var r Request
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", log, err)
		}
		if wanted(r) {
			requests = append(requests, r)
		}
	}
	return requests, lines.Err()
}
