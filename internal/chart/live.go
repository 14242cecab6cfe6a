package chart

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"text/template"

	"helm.sh/helm/v4/pkg/chart/common"
	helmchart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
)

// Lookup answers the function of this name in templates: with an object, with a
// list where the name is empty, with an empty mapping where there is none.
type Lookup func(apiVersion, kind, namespace, name string) (map[string]any, error)

// RenderLive is Render with lookups that are answered, as in `helm install`.
// Charts that say that they are pure look up in order to refuse, which is left
// to the manager's rules: they say more.
func (c *Chart) RenderLive(rel Release, overrides map[string]any, caps *Capabilities, lookup Lookup) (*Rendered, error) {
	if lookup == nil || !c.traits().looksUp {
		return c.Render(rel, overrides, caps)
	}
	functions := template.FuncMap{"lookup": lookup}
	rendered, err := c.renderTwice(engine.Engine{CustomTemplateFuncs: functions}, rel, overrides, caps)
	var refused *refusal
	if errors.As(err, &refused) && isPure(c.templateOwner(refused.template)) {
		return c.Render(rel, overrides, caps)
	}
	return rendered, err
}

// templateOwner is the chart in whose folder a template lies.
func (c *Chart) templateOwner(name string) *helmchart.Chart {
	owner := c.helm
	walk(c.helm, nil, func(sub *helmchart.Chart, _ []string) {
		full := sub.ChartFullPath()
		if strings.HasPrefix(name, full+"/") && len(full) > len(owner.ChartFullPath()) {
			owner = sub
		}
	})
	return owner
}

// withKinds adds the kinds of the crds/ folders to what the cluster serves:
// they are there before the release is.
func withKinds(caps *Capabilities, work *helmchart.Chart) (*Capabilities, error) {
	var added common.VersionSet
	for _, crd := range work.CRDObjects() {
		kinds, err := kindsIn(crd.File)
		if err != nil {
			return nil, err
		}
		added = append(added, kinds...)
	}
	out := caps.Copy()
	for _, kind := range added {
		if !out.APIVersions.Has(kind) {
			out.APIVersions = append(slices.Clone(out.APIVersions), kind)
		}
	}
	return out, nil
}

var definedKinds sync.Map // content of a file of CRDs, to what it defines

// kindsIn lists what the CRDs in a file define, as templates ask for it:
// GROUP/VERSION and GROUP/VERSION/KIND.
func kindsIn(file *common.File) (common.VersionSet, error) {
	if known, ok := definedKinds.Load(string(file.Data)); ok {
		return known.(common.VersionSet), nil
	}
	objects, err := ParseManifest(string(file.Data))
	if err != nil {
		return nil, err
	}
	var out common.VersionSet
	for _, object := range objects {
		var crd struct {
			Spec struct {
				Group string `json:"group"`
				Names struct {
					Kind string `json:"kind"`
				} `json:"names"`
				Versions []struct {
					Name string `json:"name"`
				} `json:"versions"`
			} `json:"spec"`
		}
		if err := object.Read(&crd); err != nil {
			return nil, err
		}
		for _, version := range crd.Spec.Versions {
			served := crd.Spec.Group + "/" + version.Name
			out = append(out, served, served+"/"+crd.Spec.Names.Kind)
		}
	}
	definedKinds.Store(string(file.Data), out)
	return out, nil
}
