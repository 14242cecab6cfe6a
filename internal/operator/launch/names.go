package launch

import (
	"fmt"
	"regexp"
	"strings"
)

// Names are by what the pods of a group find each other: variables that whoever
// makes the pods gives to every container. In a container's command the kubelet
// puts their values in place of $(NAME).
type Names struct {
	// leader is the leader's host.
	leader string
	// number is the variable that is another in each worker; index is a worker's
	// rank in the arithmetic of a shell, from 1 on, and rank the same as a word.
	number, index, rank string
	// worker is the host of the worker of a rank, from 1 on, in the text of a shell.
	worker func(rank int) string
}

// InLeaderWorkerSet are the names in the groups of a LeaderWorkerSet.
var InLeaderWorkerSet = Names{
	leader: "$(LWS_LEADER_ADDRESS)",
	number: "LWS_WORKER_INDEX", index: "LWS_WORKER_INDEX", rank: "$(LWS_WORKER_INDEX)",
	worker: func(rank int) string {
		return fmt.Sprintf("${LWS_LEADER_ADDRESS%%%%.*}-%d.${LWS_LEADER_ADDRESS#*.}", rank)
	},
}

// InGrove are the names in a scaling group of Grove, of which leader is the
// clique that leads, and workers the other.
func InGrove(leader, workers string) Names {
	return Names{
		leader: groveHost(leader, 0),
		number: "GROVE_PCLQ_POD_INDEX", index: "(GROVE_PCLQ_POD_INDEX+1)", rank: "$((GROVE_PCLQ_POD_INDEX+1))",
		worker: func(rank int) string { return asShell(groveHost(workers, rank-1)) },
	}
}

func groveHost(clique string, pod int) string {
	return fmt.Sprintf("$(GROVE_PCSG_NAME)-$(GROVE_PCSG_INDEX)-%s-%d.$(GROVE_HEADLESS_SERVICE)", clique, pod)
}

var variable = regexp.MustCompile(`\$\((\w+)\)`)

// inShell is the leader's host, and a port of it, as one word of shell text.
func (n Names) inShell(port string) string {
	return `"` + asShell(n.leader) + ":" + port + `"`
}

// asShell has a shell put in the variables instead of the kubelet.
func asShell(text string) string { return variable.ReplaceAllString(text, "$$$1") }

// variables are those that a program of one's own can use.
func (n Names) variables() string {
	names := []string{}
	for _, match := range variable.FindAllStringSubmatch(n.leader, -1) {
		names = append(names, "$"+match[1])
	}
	return strings.Join(append(names, "$"+n.number), ", ")
}
