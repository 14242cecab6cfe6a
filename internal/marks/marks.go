// Package marks holds the labels and annotations by which the manager and Helm
// say whose an object is, and the names under which they write.
package marks

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// FieldManager is the name under which the manager and Helm own fields.
const FieldManager = "helm"

// ManagedBy is the label that names the program that looks after an object.
const (
	ManagedBy     = "app.kubernetes.io/managed-by"
	ManagedByHelm = "Helm"
	// ManagedByUs is on what this program makes outside of releases.
	ManagedByUs = "wheelhouse"
)

// PartOf is the label that names the product that an object is a part of.
const (
	PartOf         = "app.kubernetes.io/part-of"
	PartOfOperator = "dynamo-operator"
	PartOfChrek    = "chrek"
)

// Agents selects the pods and DaemonSets of checkpoint agents, whatever their releases
// are called.
const (
	Name         = "app.kubernetes.io/name"
	NameOfAgents = "checkpoint-agent"
	Agents       = Name + "=" + NameOfAgents
)

// Annotations by which Helm marks the objects of a release.
const (
	ReleaseName      = "meta.helm.sh/release-name"
	ReleaseNamespace = "meta.helm.sh/release-namespace"
	Policy           = "helm.sh/resource-policy"
	// PolicyKeep is the policy of what outlives its release.
	PolicyKeep = "keep"
)

// Annotations of a CRD that was applied without a release: the chart that it was
// applied for, its version, and a digest of all the CRDs that it brings.
const (
	CRDChart        = "wheelhouse.dev/chart"
	CRDChartVersion = "wheelhouse.dev/chart-version"
	CRDDigest       = "wheelhouse.dev/content-digest"
)

// Labels of a release's record. RecordRevision is the revision that the others
// are about: Helm copies labels from one revision to the next.
const (
	RecordFleet    = "wheelhouse.dev/fleet"
	RecordChart    = "wheelhouse.dev/chart"
	RecordCharts   = "wheelhouse.dev/chart-digest"
	RecordValues   = "wheelhouse.dev/values-digest"
	RecordRevision = "wheelhouse.dev/revision"
)

// Journal is the label of the Secrets that hold a fleet's history; its value is
// the fleet.
const Journal = "wheelhouse.dev/journal"

// Annotations of a fleet's lock: the process that holds it, and that the journal
// does not tell how the last run ended.
const (
	LockProcess    = "wheelhouse.dev/process"
	LockUnfinished = "wheelhouse.dev/unfinished"
)

// Annotations by which a webhook configuration asks for a certificate: the name
// of the Secret in the release's namespace that is to hold it, and how many days
// it is valid.
const (
	Certificate     = "wheelhouse.dev/webhook-certificate"
	CertificateDays = "wheelhouse.dev/webhook-certificate-days"
)

// ReleaseOf reads the release that an object says it belongs to; the zero key if
// to none.
func ReleaseOf(object metav1.Object) fleet.Key { return ReleaseIn(object.GetAnnotations()) }

// ReleaseIn is ReleaseOf for annotations.
func ReleaseIn(annotations map[string]string) fleet.Key {
	return fleet.Key{Namespace: annotations[ReleaseNamespace], Name: annotations[ReleaseName]}
}

// GiveRelease puts on an object what Helm puts on the objects of a release.
func GiveRelease(object metav1.Object, key fleet.Key) {
	labels, annotations := object.GetLabels(), object.GetAnnotations()
	if labels == nil {
		labels = map[string]string{}
	}
	if annotations == nil {
		annotations = map[string]string{}
	}
	labels[ManagedBy] = ManagedByHelm
	annotations[ReleaseName], annotations[ReleaseNamespace] = key.Name, key.Namespace
	object.SetLabels(labels)
	object.SetAnnotations(annotations)
}

// HasRelease reports whether an object carries the marks of a release.
func HasRelease(live metav1.Object, key fleet.Key) bool {
	return ReleaseOf(live) == key && live.GetLabels()[ManagedBy] == ManagedByHelm
}

// BelongsElsewhere reports whether an object has been taken over by a release
// other than the one that has it in its records.
func BelongsElsewhere(live metav1.Object, key fleet.Key) bool {
	owner := ReleaseOf(live)
	return owner.Name != "" && owner != key
}

// ByHand reports whether a field manager is one under which people create
// objects with kubectl as a whole, unlike those under which they edit them.
func ByHand(manager string) bool {
	switch manager {
	case "kubectl", "kubectl-client-side-apply", "kubectl-create", "kubectl-run", "kubectl-expose", "kubectl-replace", "before-first-apply":
		return true
	default:
		return false
	}
}
