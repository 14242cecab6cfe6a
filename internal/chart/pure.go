package chart

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	helmchart "helm.sh/helm/v4/pkg/chart/v2"
)

// pureAnnotation in a Chart.yaml is its author's word that values and
// capabilities decide what is rendered, and that lookups only refuse.
const pureAnnotation = "wheelhouse.dev/pure"

func isPure(c *helmchart.Chart) bool { return c.Metadata.Annotations[pureAnnotation] == "true" }

// Pure reports whether values and capabilities decide what the chart and all
// of its dependencies render.
func (c *Chart) Pure() bool {
	pure := true
	walk(c.helm, nil, func(sub *helmchart.Chart, _ []string) { pure = pure && isPure(sub) })
	return pure
}

// traits are what the text of a chart's templates tells of them; all but asks, of
// those of its charts that do not say that they are pure.
type traits struct {
	looksUp, asksKinds, random bool
	// asks is asksKinds, and also counts charts that say that they are pure.
	asks bool
}

var (
	lookupFunction  = regexp.MustCompile(`\blookup\b`)
	randomFunctions = regexp.MustCompile(`\b(rand(Alpha|AlphaNum|Ascii|Numeric|Bytes|Int)|gen(PrivateKey|CA|CAWithKey|SelfSignedCert|SelfSignedCertWithKey|SignedCert|SignedCertWithKey)|uuidv4|now|ago|shuffle|htpasswd|bcrypt|encryptAES)\b`)
)

var knownTraits sync.Map // digest of a chart, to its traits

func (c *Chart) traits() traits {
	if known, ok := knownTraits.Load(c.digest); ok {
		return known.(traits)
	}
	var t traits
	walk(c.helm, nil, func(sub *helmchart.Chart, _ []string) {
		pure := isPure(sub)
		// Templates may also stand in other files, for tpl.
		for _, file := range append(append(sub.Templates[:0:0], sub.Templates...), sub.Files...) {
			if strings.HasSuffix(file.Name, ".md") || strings.HasPrefix(file.Name, "crds/") {
				continue
			}
			asks := bytes.Contains(file.Data, []byte("APIVersions"))
			t.asks = t.asks || asks
			if pure {
				continue
			}
			t.random = t.random || randomFunctions.Match(file.Data)
			t.looksUp = t.looksUp || lookupFunction.Match(file.Data)
			t.asksKinds = t.asksKinds || asks
		}
	})
	knownTraits.Store(c.digest, t)
	return t
}

// Settled reports whether the chart renders the same from the same values and
// capabilities, whatever is in the cluster.
func (c *Chart) Settled() bool {
	t := c.traits()
	return !t.random && !t.looksUp
}

// AsksKinds reports whether a template asks which APIs the cluster serves.
func (c *Chart) AsksKinds() bool { return c.traits().asks }

// DefinedGroups are the API groups that the crds/ folders of the chart and of its
// dependencies define.
func (c *Chart) DefinedGroups() ([]string, error) {
	var out []string
	for _, crd := range c.helm.CRDObjects() {
		objects, err := ParseManifest(string(crd.File.Data))
		if err != nil {
			return nil, fmt.Errorf("chart %s: %s: %w", c, crd.Name, err)
		}
		for _, o := range objects {
			if _, group, named := strings.Cut(o.Name, "."); named && !slices.Contains(out, group) {
				out = append(out, group)
			}
		}
	}
	return out, nil
}

// Source is the chart as Helm records it: with the values of the sub-charts
// that are on.
func (r *Rendered) Source() *helmchart.Chart { return r.source }

// JSON is the manifest as a stream of JSON objects.
func (r *Rendered) JSON() ([]byte, error) {
	var out []byte
	for _, object := range r.Objects {
		content, err := object.JSON()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", object, err)
		}
		out = append(append(out, content...), '\n')
	}
	return out, nil
}
