package config

import "fmt"

// Ignored tells of every option of CRIU that says other than its default and is not used:
// which, and what holds instead.
func (c CRIU) Ignored() []string {
	usual := Default().Checkpoint.CRIU
	var all []string
	for _, option := range []struct {
		name      string
		differs   bool
		otherwise string
	}{
		{"workDir", c.WorkDir != usual.WorkDir, "a restore works in memory of its own"},
		{"libDir", c.LibDir != usual.LibDir, "CRIU in the agent's image has no plugins"},
		{"shellJob", c.ShellJob != usual.ShellJob, "all of a container's processes are stored, so its sessions are whole"},
		{"extMasters", c.ExtMasters != usual.ExtMasters, "the pod provides every mount but its root"},
		{"manageCgroupsMode", c.ManageCgroupsMode != usual.ManageCgroupsMode, "the kubelet owns cgroups, so it is ignore"},
		{"lazyPages", c.LazyPages != usual.LazyPages, "memory is loaded before the process goes on"},
		{"allowUprobes", c.AllowUprobes != usual.AllowUprobes, "processes with uprobes were not tried"},
	} {
		if option.differs {
			all = append(all, fmt.Sprintf("checkpoint.criu.%s has no effect: %s", option.name, option.otherwise))
		}
	}
	return all
}
