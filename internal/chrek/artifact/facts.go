package artifact

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Facts are what a restore depends on. An empty one is unknown, and refuses nothing.
type Facts struct {
	Image   string   `json:"image,omitempty"`   // as the kubelet names what runs
	Command []string `json:"command,omitempty"` // with its arguments
	UID     string   `json:"uid,omitempty"`     // whose the process is
	Kernel  string   `json:"kernel,omitempty"`  // release
	CRIU    string   `json:"criu,omitempty"`    // version
	CPU     []string `json:"cpu,omitempty"`     // flags, sorted
	Mounts  []string `json:"mounts,omitempty"`  // points that the pod provides
	Memory  int64    `json:"memory,omitempty"`  // bytes: stored; or the most that a pod may have
	Rights  *Rights  `json:"rights,omitempty"`
}

// Rights are what a process may do. A restored process has those that it had, so it must
// not have had more than the pod gives.
type Rights struct {
	Capabilities    uint64 `json:"capabilities"` // its bounding set
	NoNewPrivileges bool   `json:"noNewPrivileges"`
	Seccomp         bool   `json:"seccomp"` // whether it has a filter
}

// more says what a stored process may do that the pod does not allow; "" if nothing.
func (stored *Rights) more(here *Rights) string {
	switch {
	case stored == nil || here == nil:
		return ""
	case stored.Capabilities&^here.Capabilities != 0:
		return fmt.Sprintf("capabilities: the checkpoint is of a process with %016x, and here it may have %016x at most", stored.Capabilities, here.Capabilities)
	case here.NoNewPrivileges && !stored.NoNewPrivileges:
		return "privileges: the checkpoint is of a process that may gain some (allowPrivilegeEscalation), and here it may not"
	case here.Seccomp && !stored.Seccomp:
		return "seccomp: the checkpoint is of a process without a filter, and here it has one"
	}
	return ""
}

// Differs says which fact of a pod or its node stands against a restore, with both
// values; "" if none does.
func (stored Facts) Differs(here Facts) string {
	text := func(fact, was, is string) string {
		if was == "" || is == "" || was == is {
			return ""
		}
		return fmt.Sprintf("%s: the checkpoint is of %q, and here it is %q", fact, was, is)
	}
	older := func(fact, was, is string) string {
		a, b := version(was), version(is)
		if a == nil || b == nil || slices.Compare(b, a) >= 0 {
			return ""
		}
		return fmt.Sprintf("%s: the checkpoint was taken with %s, and %s here is older", fact, was, is)
	}
	lacks := func(fact string, was, is []string) string {
		if len(was) == 0 || len(is) == 0 {
			return ""
		}
		var missing []string
		for _, one := range was {
			if !slices.Contains(is, one) {
				missing = append(missing, one)
			}
		}
		if len(missing) == 0 {
			return ""
		}
		return fmt.Sprintf("%s: the checkpoint needs %s, which is not here", fact, strings.Join(missing, ", "))
	}
	for _, found := range []string{
		text("image", stored.Image, here.Image),
		text("command", strings.Join(stored.Command, " "), strings.Join(here.Command, " ")),
		text("user", stored.UID, here.UID),
		older("kernel", stored.Kernel, here.Kernel),
		older("CRIU", stored.CRIU, here.CRIU),
		lacks("processor", stored.CPU, here.CPU),
		lacks("mounts", stored.Mounts, here.Mounts),
		tooMuch(stored.Memory, here.Memory),
		stored.Rights.more(here.Rights),
	} {
		if found != "" {
			return found
		}
	}
	return ""
}

func tooMuch(stored, limit int64) string {
	if stored == 0 || limit == 0 || stored <= limit {
		return ""
	}
	return fmt.Sprintf("memory: the checkpoint has %d MiB, and the container may have %d MiB", stored>>20, limit>>20)
}

// version are the first two numbers of a release, nil if it does not begin with them.
func version(release string) []int {
	var numbers []int
	for part := range strings.SplitSeq(release, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil {
			return nil
		}
		if numbers = append(numbers, n); len(numbers) == 2 {
			return numbers
		}
	}
	return nil
}
