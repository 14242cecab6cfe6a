package check

import "slices"

// Judge runs one rule: its live half if the input has a cluster.
func Judge(rule Rule, in Input) Findings {
	in.decoded = newDecoder()
	switch {
	case !rule.applies(in.Set):
		return nil
	case in.Cluster != nil:
		return rule.findings(rule.Live(in))
	default:
		return rule.findings(rule.Find(in))
	}
}

// OnObjects reports whether a rule looks at rendered objects.
func OnObjects(id string) bool {
	return slices.ContainsFunc(slices.Concat(objectRules, registryRules), func(r Rule) bool { return r.ID == id })
}
