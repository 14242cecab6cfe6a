package crdsafety

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// converts reports whether a webhook translates between versions. Without
// one, objects only change their apiVersion.
func converts(crd *Definition) bool {
	return crd.Spec.Conversion != nil && crd.Spec.Conversion.Strategy == apiextensionsv1.WebhookConverter
}

// conversion compares who translates between versions.
func (c *changes) conversion(old, wanted *Definition) {
	switch before, after := converts(old), converts(wanted); {
	case before && !after && len(wanted.Spec.Versions) > 1:
		c.add(Narrowing, "", "versions are no longer converted by webhook %s: objects are in each version as they are stored", webhook(old))
	case !before && after && len(wanted.Spec.Versions) > 1:
		c.add(Notable, "", "versions are converted by webhook %s from now on, and what it makes of objects cannot be seen before; while it does not answer, objects are only readable as they are stored", webhook(wanted))
	case before && after:
		c.converter(old, wanted)
	}
}

// converter compares two webhooks.
func (c *changes) converter(old, wanted *Definition) {
	was, is := old.Spec.Conversion.Webhook, wanted.Spec.Conversion.Webhook
	if was == nil || is == nil || was.ClientConfig == nil || is.ClientConfig == nil {
		return
	}
	if webhook(old) != webhook(wanted) {
		c.add(Notable, "", "the conversion webhook changes from %s to %s, and what that makes of objects cannot be seen before", webhook(old), webhook(wanted))
	}
	switch before, after := was.ClientConfig.CABundle, is.ClientConfig.CABundle; {
	case bytes.Equal(before, after):
	case len(after) == 0 && !ownCA(old):
		// Another program fills it in, and goes on doing so.
	case len(after) == 0:
		c.add(Breaking, "", "the authority of conversion webhook %s is taken away: the API server trusts it no longer, and objects are only readable as they are stored", webhook(wanted))
	default:
		c.add(Notable, "", "conversion webhook %s is trusted by another authority; if its certificate is not of that one, objects are only readable as they are stored", webhook(wanted))
	}
	if !reflect.DeepEqual(was.ConversionReviewVersions, is.ConversionReviewVersions) {
		c.add(Notable, "", "conversion webhook %s is asked in other versions of ConversionReview: %s", webhook(wanted), strings.Join(is.ConversionReviewVersions, ", "))
	}
}

// ownCA reports whether who wrote the versions also wrote the authority of the
// webhook; nobody is known to have if the API server tells no owners.
func ownCA(crd *Definition) bool {
	return !slices.ContainsFunc(crd.ManagedFields, func(m owner) bool {
		return m.FieldsV1 != nil && strings.Contains(m.FieldsV1.GetRawString(), `"f:caBundle"`) && !strings.Contains(m.FieldsV1.GetRawString(), `"f:versions"`)
	})
}

// webhook names who converts.
func webhook(crd *Definition) string {
	hook := crd.Spec.Conversion.Webhook
	switch {
	case hook == nil || hook.ClientConfig == nil:
		return "(none)"
	case hook.ClientConfig.Service != nil:
		service := hook.ClientConfig.Service
		name := service.Namespace + "/" + service.Name
		if service.Port != nil && *service.Port != 443 {
			name += ":" + strconv.Itoa(int(*service.Port))
		}
		if service.Path != nil {
			name += " " + *service.Path
		}
		return name
	case hook.ClientConfig.URL != nil:
		return *hook.ClientConfig.URL
	default:
		return "(none)"
	}
}

// unseen says why nobody can tell beforehand what a webhook makes of objects
// that it is to store in a version; empty if they can be read in it now.
func unseen(old *Definition, after string) string {
	before := version(old, after)
	switch {
	case !converts(old):
		return "the webhook does not convert yet; let it convert first, and store in " + after + " once objects read well in it"
	case before == nil || !before.Served:
		return fmt.Sprintf("version %s is not served yet; serve it first, and store in it once objects read well in it", after)
	default:
		return ""
	}
}

// stored lists the versions in which objects may be stored.
func stored(crd *Definition) []string {
	if names := crd.Status.StoredVersions; len(names) > 0 {
		return names
	}
	if v := storage(crd); v != nil {
		return []string{v.Name}
	}
	return nil
}

// unconverted holds each object, as it reads in another version now, against
// what it will be there without the webhook: what is stored, under another name.
func (r *Report) unconverted(ctx context.Context, old, wanted *Definition, objects Objects, found harms) error {
	for _, from := range stored(old) {
		if v := version(old, from); v == nil || !v.Served {
			r.doubt("objects may be stored in version %s, which is not served: without the webhook nobody can tell what they will be in other versions", from)
			continue
		}
		for i := range wanted.Spec.Versions {
			to := &wanted.Spec.Versions[i]
			now := version(old, to.Name)
			if to.Name == from || !to.Served || now == nil || !now.Served {
				continue
			}
			if err := r.sideBySide(ctx, from, to, objects, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Report) sideBySide(ctx context.Context, from string, to *apiextensionsv1.CustomResourceDefinitionVersion, objects Objects, found harms) error {
	j, err := newJudge(to)
	if err != nil {
		return err
	}
	future := map[[2]string]map[string]any{}
	n, err := r.read(ctx, objects, from, func(object map[string]any) { future[nameOf(object)] = j.kept(object) })
	if err != nil || n == 0 {
		return err
	}
	_, err = r.read(ctx, objects, to.Name, func(object map[string]any) {
		then, known := future[nameOf(object)]
		if !known {
			return
		}
		var faults []fault
		for _, path := range differences(object, then) {
			faults = append(faults, fault{field: path, says: "would read differently in " + to.Name + " without the conversion webhook"})
		}
		found.add(object, faults)
	})
	return err
}

// read lists all objects in one version. That the webhook fails is no error, but
// a reason for doubt.
func (r *Report) read(ctx context.Context, objects Objects, version string, each func(map[string]any)) (int, error) {
	n := 0
	err := objects(ctx, version, func(page []map[string]any) error {
		n += len(page)
		for _, object := range page {
			each(object)
		}
		return nil
	})
	return n, r.looked(version, n, err)
}

// looked notes how many objects were read in a version.
func (r *Report) looked(version string, n int, err error) error {
	if apierrors.IsInternalError(err) {
		r.unread = true
		r.doubt("objects cannot be read in version %s, so that nobody can tell what becomes of them: %v", version, err)
		return nil
	}
	if err == nil {
		r.Looked, r.Objects = true, max(r.Objects, n)
	}
	return err
}

func (r *Report) doubt(format string, args ...any) {
	if says := fmt.Sprintf(format, args...); !slices.Contains(r.Unjudged, says) {
		r.Unjudged = append(r.Unjudged, says)
	}
}

// differences lists the fields in which two objects differ, but for what every
// object has.
func differences(a, b map[string]any) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(a)) {
		if key != "apiVersion" && key != "kind" && key != "metadata" {
			out = append(out, differing(key, a[key], b[key])...)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(b)) {
		if _, both := a[key]; !both && key != "apiVersion" && key != "kind" && key != "metadata" {
			out = append(out, key)
		}
	}
	return out
}

func differing(path string, a, b any) []string {
	left, right := fields(a), fields(b)
	if left == nil || right == nil {
		if reflect.DeepEqual(a, b) {
			return nil
		}
		return []string{path}
	}
	var out []string
	all := maps.Clone(left)
	maps.Copy(all, right)
	for _, key := range slices.SortedFunc(maps.Keys(all), cmp.Compare) {
		out = append(out, differing(path+key, left[key], right[key])...)
	}
	return out
}

// fields are the parts of a value by how a path goes on to them; nil if it has
// none.
func fields(v any) map[string]any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, part := range v {
			out["."+key] = part
		}
		return out
	case []any:
		out := map[string]any{}
		for i, part := range v {
			out["["+strconv.Itoa(i)+"]"] = part
		}
		return out
	default:
		return nil
	}
}
