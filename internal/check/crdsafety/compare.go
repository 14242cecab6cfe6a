package crdsafety

import (
	"fmt"
	"reflect"
	"slices"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// Compare lists how a definition would change, worst first. The old one is as
// it lives in the cluster, with its status. It fails on a schema that is not
// structural, which the API server would not accept either.
func Compare(old, wanted *Definition) ([]Change, error) {
	c := &changes{}
	c.identity(old, wanted)
	c.conversion(old, wanted)
	c.versions(old, wanted)
	if err := c.storage(old, wanted); err != nil {
		return nil, err
	}
	for i := range old.Spec.Versions {
		before := &old.Spec.Versions[i]
		after := version(wanted, before.Name)
		if after == nil {
			continue
		}
		found, err := compareVersion(before, after)
		if err != nil {
			return nil, err
		}
		c.list = append(c.list, found...)
	}
	return worstFirst(c.list), nil
}

// identity compares what the API server never lets change.
func (c *changes) identity(old, wanted *Definition) {
	for _, fixed := range []struct{ what, before, after string }{
		{"the scope", string(old.Spec.Scope), string(wanted.Spec.Scope)},
		{"the kind", old.Spec.Names.Kind, wanted.Spec.Names.Kind},
		{"the group", old.Spec.Group, wanted.Spec.Group},
		{"the plural name", old.Spec.Names.Plural, wanted.Spec.Names.Plural},
	} {
		if fixed.before != fixed.after {
			c.add(Forbidden, "", "%s is %s and cannot become %s; only deleting the CRD, with all of its objects, could change it", fixed.what, fixed.before, fixed.after)
		}
	}
	if !slices.Equal(old.Spec.Names.ShortNames, wanted.Spec.Names.ShortNames) || !slices.Equal(old.Spec.Names.Categories, wanted.Spec.Names.Categories) {
		c.add(Safe, "", "short names or categories change")
	}
	if old.Spec.PreserveUnknownFields && !wanted.Spec.PreserveUnknownFields {
		c.add(Narrowing, "", "unknown fields are no longer kept")
	}
}

// versions compares which versions there are and which are served.
func (c *changes) versions(old, wanted *Definition) {
	for _, before := range old.Spec.Versions {
		after := version(wanted, before.Name)
		switch {
		case after == nil && slices.Contains(old.Status.StoredVersions, before.Name):
			c.add(Forbidden, "", "version %s is removed, but objects may still be stored in it (status.storedVersions); rewrite all objects in a version that stays and take %s out of status.storedVersions first", before.Name, before.Name)
		case after == nil && before.Served:
			c.add(Breaking, "", "version %s is removed: programs and files that use it fail", before.Name)
		case after == nil:
			c.add(Safe, "", "version %s, which was not served, is removed", before.Name)
		case before.Served && !after.Served:
			c.add(Breaking, "", "version %s is no longer served: programs and files that use it fail", before.Name)
		case !before.Served && after.Served:
			c.add(Safe, "", "version %s is served", before.Name)
		}
	}
	for _, after := range wanted.Spec.Versions {
		if version(old, after.Name) == nil {
			c.add(Safe, "", "version %s is new", after.Name)
		}
	}
}

// storage compares in which version objects are stored. Without a conversion
// webhook they lose what the new one does not know.
func (c *changes) storage(old, wanted *Definition) error {
	before, after := storage(old), storage(wanted)
	if before == nil || after == nil || before.Name == after.Name {
		return nil
	}
	c.add(Notable, "", "objects are stored in version %s instead of %s; definitions without %s cannot be returned to from then on", after.Name, before.Name, after.Name)
	if converts(wanted) {
		if why := unseen(old, after.Name); why != "" {
			c.add(Breaking, "", "what the conversion webhook makes of objects that are stored in version %s cannot be seen before: %s", after.Name, why)
		}
		return nil
	}
	found, err := compareSchemas(before, after, fmt.Sprintf("%s to %s", before.Name, after.Name))
	if err != nil {
		return err
	}
	for _, change := range found {
		if change.Class.AtLeast(Narrowing) {
			c.list = append(c.list, change)
		}
	}
	return nil
}

// compareVersion compares one version that both definitions have.
func compareVersion(before, after *apiextensionsv1.CustomResourceDefinitionVersion) ([]Change, error) {
	c := &changes{version: before.Name}
	c.subresources(before.Subresources, after.Subresources)
	found, err := compareSchemas(before, after, before.Name)
	if err != nil {
		return nil, err
	}
	return append(c.list, found...), nil
}

func (c *changes) subresources(before, after *apiextensionsv1.CustomResourceSubresources) {
	if before == nil {
		before = &apiextensionsv1.CustomResourceSubresources{}
	}
	if after == nil {
		after = &apiextensionsv1.CustomResourceSubresources{}
	}
	switch {
	case before.Scale != nil && after.Scale == nil:
		c.add(Breaking, "", "the scale subresource is removed: autoscalers and kubectl scale fail")
	case before.Scale == nil && after.Scale != nil:
		c.add(Safe, "", "the scale subresource is new")
	case !reflect.DeepEqual(before.Scale, after.Scale):
		c.add(Notable, "", "the scale subresource reads other fields")
	}
	switch {
	case before.Status != nil && after.Status == nil:
		c.add(Breaking, "", "the status subresource is removed: programs that write status through it fail")
	case before.Status == nil && after.Status != nil:
		c.add(Notable, "", "the status subresource is new: a status written with the object is ignored")
	}
}

// compareSchemas compares two schemas; label says which versions they are.
func compareSchemas(before, after *apiextensionsv1.CustomResourceDefinitionVersion, label string) ([]Change, error) {
	old, err := structural(before)
	if err != nil {
		return nil, err
	}
	wanted, err := structural(after)
	if err != nil {
		return nil, err
	}
	c := &changes{version: label}
	c.schema("", old, wanted)
	return c.list, nil
}
