package fleet

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

func (d *decoder) fleet(n *yaml.Node, f *Fleet) {
	d.object(n, "", fields{
		"apiVersion": func(n *yaml.Node) { d.oneOf(n, "apiVersion", APIVersion) },
		"kind":       func(n *yaml.Node) { d.oneOf(n, "kind", FileKind) },
		"metadata":   func(n *yaml.Node) { d.metadata(n, f) },
		"spec":       func(n *yaml.Node) { d.spec(n, f) },
	}, "apiVersion", "kind", "metadata", "spec")
}

func (d *decoder) metadata(n *yaml.Node, f *Fleet) {
	d.object(n, "metadata", fields{
		"name": func(n *yaml.Node) {
			f.Name = d.matching(n, "metadata.name", dnsLabel, "a name of small letters, digits and dashes, at most 63 long").Value
		},
	}, "name")
}

func (d *decoder) spec(n *yaml.Node, f *Fleet) {
	d.object(n, "spec", fields{
		"profiles": func(n *yaml.Node) {
			d.list(n, "spec.profiles", func(item *yaml.Node, path string) { f.Profiles = append(f.Profiles, d.text(item, path)) })
		},
		"charts":       func(n *yaml.Node) { d.charts(n, f) },
		"chartMirrors": func(n *yaml.Node) { d.chartMirrors(n, f) },
		"signatures":   func(n *yaml.Node) { d.signatures(n, f) },
		"shared":       func(n *yaml.Node) { d.shared(n, &f.Shared) },
		"history":      func(n *yaml.Node) { d.history(n, f) },
		"leaveFields":  func(n *yaml.Node) { d.leaveFields(n, f) },
		"crds":         func(n *yaml.Node) { d.crds(n, f) },
		"journal":      func(n *yaml.Node) { d.journal(n, f) },
		"clusters":     func(n *yaml.Node) { d.clusters(n, f) },
		"values":       func(n *yaml.Node) { f.Values = d.valuesList(n, "spec.values", LayerFleet) },
		"waves": func(n *yaml.Node) {
			d.list(n, "spec.waves", func(item *yaml.Node, path string) {
				f.Waves = append(f.Waves, d.matching(item, path, labelText, "a label value"))
			})
		},
		"platforms": func(n *yaml.Node) {
			f.definitionsAlone = n.Kind == yaml.SequenceNode && len(n.Content) == 0
			d.list(n, "spec.platforms", func(item *yaml.Node, path string) {
				f.Platforms = append(f.Platforms, d.platform(item, path))
			})
		},
		"platformsFrom": func(n *yaml.Node) {
			if n.Kind == yaml.ScalarNode {
				f.from = append(f.from, d.text(n, "spec.platformsFrom"))
				return
			}
			d.list(n, "spec.platformsFrom", func(item *yaml.Node, path string) { f.from = append(f.from, d.text(item, path)) })
		},
	})
}

func (d *decoder) clusters(n *yaml.Node, f *Fleet) {
	d.list(n, "spec.clusters", func(item *yaml.Node, path string) {
		var values []ValuesSource
		context := d.context(item, path, func(n *yaml.Node) { values = d.valuesList(n, path+".values", LayerCluster) })
		f.Clusters = append(f.Clusters, Cluster{Context: context, Values: values})
	})
}

// context reads which cluster it is, and leaves its values to the caller.
func (d *decoder) context(n *yaml.Node, path string, values func(n *yaml.Node)) (context Located[string]) {
	d.object(n, path, fields{
		"context": func(n *yaml.Node) { context = d.text(n, path+".context") },
		"values":  values,
	}, "context")
	return context
}

func (d *decoder) journal(n *yaml.Node, f *Fleet) {
	d.object(n, "spec.journal", fields{
		"namespace": func(n *yaml.Node) { f.Journal.Namespace = d.namespace(n, "spec.journal.namespace") },
	})
}

func (d *decoder) crds(n *yaml.Node, f *Fleet) {
	d.object(n, "spec.crds", fields{
		"namespace":  func(n *yaml.Node) { f.CRDs.Namespace = d.namespace(n, "spec.crds.namespace") },
		"install":    func(n *yaml.Node) { f.CRDs.Elsewhere = !d.boolean(n, "spec.crds.install").Value },
		"conversion": func(n *yaml.Node) { f.CRDs.Conversion = d.boolean(n, "spec.crds.conversion") },
	})
}

func (d *decoder) charts(n *yaml.Node, f *Fleet) {
	known := fields{}
	for _, key := range ChartKeys {
		known[key] = func(n *yaml.Node) {
			place := d.text(n, "spec.charts."+key)
			if strings.Contains(place.Value, "://") && !strings.HasPrefix(place.Value, "oci://") {
				d.fail(n, "spec.charts.%s must be a folder, a package or oci://HOST/PATH/NAME:VERSION, found the address %s: download the chart, and name its file", key, place.Value)
			}
			f.Charts[key] = place
		}
	}
	d.object(n, "spec.charts", known)
}

// chartMirrors takes any key: the start of a repository's URL.
func (d *decoder) chartMirrors(n *yaml.Node, f *Fleet) {
	f.ChartMirrors = map[string]Located[string]{}
	upstreams := fields{}
	for i := 0; n.Kind == yaml.MappingNode && i < len(n.Content); i += 2 {
		upstream := n.Content[i].Value
		upstreams[upstream] = func(n *yaml.Node) {
			f.ChartMirrors[upstream] = d.text(n, "spec.chartMirrors."+upstream)
		}
	}
	d.object(n, "spec.chartMirrors", upstreams)
}

func (d *decoder) signatures(n *yaml.Node, f *Fleet) {
	d.list(n, "spec.signatures", func(item *yaml.Node, path string) {
		var s Signature
		d.object(item, path, fields{
			"for": func(n *yaml.Node) {
				s.For = d.text(n, path+".for")
				if scheme, _, found := strings.Cut(s.For.Value, "://"); found {
					d.fail(n, "%s.for is the start of a reference in an OCI registry, HOST or HOST/PATH: write it without %q; what comes from elsewhere has no signatures that are verified",
						path, scheme+"://")
				}
			},
			"key": func(n *yaml.Node) { s.Key = d.text(n, path+".key") },
		}, "for", "key")
		f.Signatures = append(f.Signatures, s)
	})
}

func (d *decoder) history(n *yaml.Node, f *Fleet) {
	if n.ShortTag() != "!!int" || n.Decode(&f.History) != nil || f.History < 1 {
		d.fail(n, "spec.history must be a number of revisions, at least 1, found %s", n.Value)
	}
}

func (d *decoder) leaveFields(n *yaml.Node, f *Fleet) {
	d.list(n, "spec.leaveFields", func(item *yaml.Node, path string) {
		ref, err := ParseFieldRef(d.text(item, path).Value)
		if err != nil {
			d.fail(item, "%s: %v", path, err)
			return
		}
		f.LeaveFields = append(f.LeaveFields, ref)
	})
}

func (d *decoder) shared(n *yaml.Node, s *Shared) {
	d.object(n, "spec.shared", fields{
		"registry": func(n *yaml.Node) {
			registry := d.text(n, "spec.shared.registry")
			if strings.Contains(registry.Value, "://") {
				d.fail(n, "spec.shared.registry is a host with an optional path, not a URL: write it without %q",
					registry.Value[:strings.Index(registry.Value, "://")+3])
			}
			s.Registry = &registry
		},
		"imagePullSecrets": func(n *yaml.Node) {
			names := Located[[]string]{Origin: d.origin(n)}
			d.list(n, "spec.shared.imagePullSecrets", func(item *yaml.Node, path string) {
				names.Value = append(names.Value, d.text(item, path).Value)
			})
			s.ImagePullSecrets = &names
		},
		"checkpoint": func(n *yaml.Node) { s.Checkpoint = d.checkpoint(n, "spec.shared.checkpoint", false) },
	})
}

func (d *decoder) namespace(n *yaml.Node, path string) Located[string] {
	return d.matching(n, path, dnsLabel, "a namespace name (small letters, digits and dashes, at most 63 long)")
}

func (d *decoder) platform(n *yaml.Node, path string) Platform {
	p := Platform{
		Release: DefaultRelease,
		Scope:   Located[string]{Value: ScopeNamespace, Origin: d.origin(n)},
		Origin:  d.origin(n),
	}
	field := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	d.object(n, path, fields{
		"namespace": func(n *yaml.Node) { p.Namespace = d.namespace(n, field("namespace")).Value },
		"serves":    func(n *yaml.Node) { p.Serves = d.namespace(n, field("serves")) },
		"release": func(n *yaml.Node) {
			p.Release = d.matching(n, field("release"), helmName, "a Helm release name (small letters, digits, dashes and dots, at most 53 long)").Value
		},
		"scope":      func(n *yaml.Node) { p.Scope = d.oneOf(n, field("scope"), ScopeNamespace, ScopeCluster) },
		"wave":       func(n *yaml.Node) { p.Wave = d.matching(n, field("wave"), labelText, "a label value").Value },
		"checkpoint": func(n *yaml.Node) { p.Checkpoint = d.checkpoint(n, field("checkpoint"), true) },
		"clusters": func(n *yaml.Node) {
			d.list(n, field("clusters"), func(item *yaml.Node, path string) { p.Clusters = append(p.Clusters, d.text(item, path)) })
			if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
				d.fail(n, "%s names no cluster: leave it out for a platform that runs on all of them", field("clusters"))
			}
		},
		"values": func(n *yaml.Node) { p.Values = d.valuesList(n, field("values"), LayerPlatform) },
	}, "namespace")
	return p
}

func join(words []string) string { return strings.Join(words, ", ") }
