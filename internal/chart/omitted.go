package chart

// Omitted lists the dependencies that are not at hand, whether on or off: what
// Helm leaves out.
func (c *Chart) Omitted() []Dependency {
	var out []Dependency
	for _, d := range c.helm.Metadata.Dependencies {
		if !atHand(c.helm, d) {
			out = append(out, describe(d))
		}
	}
	return out
}
