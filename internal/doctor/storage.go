package doctor

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

const (
	defaultClass     = "storageclass.kubernetes.io/is-default-class"
	defaultClassBeta = "storageclass.beta.kubernetes.io/is-default-class"
)

// pending are the claims that have no volume.
func (s *Snapshot) pending() (out []*corev1.PersistentVolumeClaim) {
	for i := range s.Claims {
		if phase := s.Claims[i].Status.Phase; phase == corev1.ClaimPending || phase == corev1.ClaimLost || phase == "" {
			out = append(out, &s.Claims[i])
		}
	}
	return out
}

func (s *Snapshot) classNames() (out []string) {
	for _, class := range s.StorageClasses {
		out = append(out, class.Name)
	}
	return out
}

func (s *Snapshot) class(name string) *storagev1.StorageClass {
	for i := range s.StorageClasses {
		if s.StorageClasses[i].Name == name {
			return &s.StorageClasses[i]
		}
	}
	return nil
}

// className is the class that a claim asks for; unset says that it leaves that to
// the cluster.
func className(c *corev1.PersistentVolumeClaim) (name string, unset bool) {
	if c.Spec.StorageClassName == nil {
		return "", true
	}
	return *c.Spec.StorageClassName, false
}

var storageClassMissing = Check{
	ID:    "storage-class-missing",
	Says:  "claims ask for a storage class that the cluster does not have",
	Needs: []Fact{StorageClasses},
	Find: func(s *Snapshot) (out []Finding) {
		asked := map[string][]Place{}
		var order []string
		for _, claim := range s.pending() {
			name, unset := className(claim)
			// A volume made by hand may carry the name of a class that is no object.
			if unset || name == "" || claim.Spec.VolumeName != "" || s.class(name) != nil {
				continue
			}
			if asked[name] == nil {
				order = append(order, name)
			}
			asked[name] = append(asked[name], at("PersistentVolumeClaim", claim))
		}
		for _, name := range order {
			out = append(out, Finding{
				At:   Place{Kind: "StorageClass", Name: name},
				Seen: fmt.Sprintf("asked for by %s; the cluster has: %s", placed(asked[name]), orNone(s.classNames())),
				Next: kubectl("", "get", "storageclass"), breaks: asked[name],
			})
		}
		return out
	},
}

var noDefaultStorageClass = Check{
	ID:    "no-default-storage-class",
	Says:  "claims leave the storage class to the cluster, and it has no default",
	Needs: []Fact{StorageClasses},
	Find: func(s *Snapshot) []Finding {
		if slices.ContainsFunc(s.StorageClasses, func(c storagev1.StorageClass) bool {
			return c.Annotations[defaultClass] == "true" || c.Annotations[defaultClassBeta] == "true"
		}) {
			return nil
		}
		var asked []Place
		for _, claim := range s.pending() {
			if _, unset := className(claim); unset && claim.Spec.VolumeName == "" {
				asked = append(asked, at("PersistentVolumeClaim", claim))
			}
		}
		if len(asked) == 0 {
			return nil
		}
		return []Finding{{
			At:   Place{Kind: "StorageClass", Name: "(default)"},
			Seen: fmt.Sprintf("asked for by %s; the cluster has: %s", placed(asked), orNone(s.classNames())),
			Next: kubectl("", "get", "storageclass"), breaks: asked,
		}}
	},
}

// placed names some places of one kind.
func placed(places []Place) string {
	var names []string
	for _, p := range places {
		names = append(names, p.Namespace+"/"+p.Name)
	}
	return few(names)
}

var claimMissing = Check{
	ID:   "claim-missing",
	Says: "pods mount a volume claim that does not exist",
	Find: func(s *Snapshot) (out []Finding) {
		known := map[Place]bool{}
		for i := range s.Claims {
			known[at("PersistentVolumeClaim", &s.Claims[i])] = true
		}
		for i := range s.Pods {
			pod := &s.Pods[i]
			if over(pod) || !s.knows(Claims, pod.Namespace) {
				continue
			}
			for _, name := range claimsOf(&pod.Spec) {
				claim := Place{Kind: "PersistentVolumeClaim", Namespace: pod.Namespace, Name: name}
				if known[claim] {
					continue
				}
				known[claim] = true
				broken := s.mounting(claim)
				out = append(out, Finding{At: claim, Seen: "mounted by " + placed(broken), Next: kubectl(pod.Namespace, "get", "pvc"), breaks: broken})
			}
		}
		return out
	},
}

var claimPending = Check{
	ID:      "claim-pending",
	Follows: true,
	Says:    "the volume claim has no volume",
	Find: func(s *Snapshot) (out []Finding) {
		for _, claim := range s.pending() {
			place := at("PersistentVolumeClaim", claim)
			if s.waitsForPod(claim) {
				continue
			}
			class, unset := className(claim)
			if unset || class == "" {
				class = "(none)"
			}
			modes := make([]string, 0, len(claim.Spec.AccessModes))
			for _, mode := range claim.Spec.AccessModes {
				modes = append(modes, string(mode))
			}
			size := claim.Spec.Resources.Requests[corev1.ResourceStorage]
			f := Finding{
				At: place, Seen: fmt.Sprintf("phase %s, storage class %s, %s, %s", claim.Status.Phase, class, strings.Join(modes, ","), size.String()),
				Next: kubectl(claim.Namespace, "describe", "pvc", claim.Name), breaks: s.mounting(place),
			}
			if said := s.said(place); said != "" {
				f.Seen += "; " + said
			}
			out = append(out, f)
		}
		return out
	},
}

// waitsForPod: the volume is made when a pod that mounts the claim has got a node,
// and none has.
func (s *Snapshot) waitsForPod(claim *corev1.PersistentVolumeClaim) bool {
	name, _ := className(claim)
	class := s.class(name)
	if class == nil || class.VolumeBindingMode == nil || *class.VolumeBindingMode != storagev1.VolumeBindingWaitForFirstConsumer {
		return false
	}
	place := at("PersistentVolumeClaim", claim)
	return claim.Status.Phase != corev1.ClaimLost && s.said(place) == "" && claim.Annotations["volume.kubernetes.io/selected-node"] == ""
}
