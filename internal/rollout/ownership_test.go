package rollout

import (
	"testing"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

func TestWhoseAnObjectIs(t *testing.T) {
	marked := func(namespace, name string, more ...string) map[string]string {
		out := map[string]string{marks.ReleaseNamespace: namespace, marks.ReleaseName: name}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	helm := map[string]string{marks.ManagedBy: "Helm"}
	for _, test := range []struct {
		name     string
		kind     string
		recorded bool
		live     *Metadata
		standing Standing
		owner    string
	}{
		{"nothing there", "Service", true, nil, Absent, ""},
		{"on its way out", "Service", true, &Metadata{Labels: helm, Annotations: marked("a", "p"), Deleting: true}, Absent, ""},
		{"of this release", "Service", true, &Metadata{Labels: helm, Annotations: marked("a", "p")}, Ours, ""},
		{"of this release, label lost", "Service", true, &Metadata{Annotations: marked("a", "p")}, Ours, ""},
		{"annotations lost", "Service", true, &Metadata{Managers: []string{"helm", "kubectl-edit"}}, Ours, ""},
		{"record lost", "Service", false, &Metadata{Labels: helm, Annotations: marked("a", "p")}, Adoptable, "release a/p"},
		{"kept by an uninstall", "Service", false, &Metadata{Labels: helm, Annotations: marked("a", "p", marks.Policy, "keep")}, Ours, ""},
		{"of another release", "Service", true, &Metadata{Labels: helm, Annotations: marked("b", "p")}, Foreign, "release b/p"},
		{"of a controller", "Service", true, &Metadata{Controller: "Widget/w"}, Foreign, "Widget/w"},
		{"of another manager", "Service", true, &Metadata{Labels: map[string]string{marks.ManagedBy: "pulumi"}}, Foreign, "pulumi"},
		{"helm template, piped into kubectl apply", "Service", false, &Metadata{Labels: helm, Managers: []string{"kubectl-client-side-apply"}}, Adoptable, "kubectl"},
		{"made with kubectl, edited by a program", "Service", false, &Metadata{Managers: []string{"robot", "kubectl-create"}}, Adoptable, "kubectl"},
		{"edited with kubectl, made by a program", "Service", false, &Metadata{Managers: []string{"robot", "kubectl-edit"}}, Foreign, "robot, kubectl-edit"},
		{"made by Kubernetes", "Service", false, &Metadata{Managers: []string{"kube-controller-manager"}}, Foreign, "kube-controller-manager"},
		{"steered by Flux", "Service", true, &Metadata{Annotations: marked("a", "p"), Labels: map[string]string{
			marks.ManagedBy: "Helm", "helm.toolkit.fluxcd.io/name": "p", "helm.toolkit.fluxcd.io/namespace": "flux",
		}}, Foreign, "Flux HelmRelease flux/p"},
		{"steered by Argo CD", "Service", false, &Metadata{Annotations: map[string]string{
			"argocd.argoproj.io/tracking-id": "team:/Service:a/s",
		}}, Foreign, "Argo CD application team"},
	} {
		t.Run(test.name, func(t *testing.T) {
			row := ownershipOfObject(fleet.Key{Namespace: "a", Name: "p"}, test.recorded, Found{Kind: test.kind, Namespace: "a", Name: "s", Resource: "services", Live: test.live})
			if row.Standing != test.standing || row.Owner != test.owner {
				t.Errorf("got %s of %q (%s), want %s of %q", row.Standing, row.Owner, row.Reason, test.standing, test.owner)
			}
			if row.Standing == Foreign && row.Look == "" {
				t.Error("nothing says how to look at the owner")
			}
		})
	}
}

// The definitions of a release in another namespace can be adopted by a setting.
func TestAForeignCRDSaysHowToAdoptIt(t *testing.T) {
	live := &Metadata{Annotations: map[string]string{marks.ReleaseNamespace: "elsewhere", marks.ReleaseName: "crds"}}
	row := ownershipOfObject(fleet.Key{Namespace: "default", Name: "crds"}, false, Found{Kind: "CustomResourceDefinition", Name: "xs.example.com", Live: live})
	if row.Standing != Foreign || row.Fix != "set spec.crds.install to false to use the CRDs as they are there, or spec.crds.namespace to elsewhere to adopt that release" {
		t.Errorf("got %s, fix %q", row.Standing, row.Fix)
	}
}

func TestAReleaseOfAnotherProgramOrFleetNeedsConsent(t *testing.T) {
	target := platform("a")
	for _, test := range []struct {
		name     string
		change   func(*Record)
		standing Standing
		owner    string
	}{
		{"ours", func(*Record) {}, Ours, ""},
		{"ours, rolled back by hand", func(r *Record) { r.Digest = Digest{} }, Ours, ""},
		{"plain Helm's", func(r *Record) { r.Ours, r.Fleet = false, "" }, Adoptable, "Helm"},
		{"another fleet's", func(r *Record) { r.Fleet = "g" }, Adoptable, "fleet g"},
	} {
		t.Run(test.name, func(t *testing.T) {
			record := deployed(target)
			test.change(&record)
			s := &Snapshot{Targets: []Target{target}, Records: map[fleet.Key]Record{target.Key: record}}
			s.Ownership = map[fleet.Key][]Ownership{target.Key: ownershipOf(target, s.Records, nil)}
			plan := mustPlan(t, s)
			if row := plan.Ownership[0]; row.Standing != test.standing || row.Owner != test.owner {
				t.Errorf("got %s of %q, want %s of %q", row.Standing, row.Owner, test.standing, test.owner)
			}
			if asked := len(plan.Adoptions()) > 0; asked != (test.standing == Adoptable) {
				t.Errorf("consent is asked for is %v", asked)
			}
		})
	}
}

// What is not there need not be read; what is on its way out is still there.
func TestWhatIsMissing(t *testing.T) {
	row := func(name string, standing Standing, reason string) Ownership {
		return Ownership{Kind: "Service", Namespace: "a", Name: name, Standing: standing, Reason: reason}
	}
	got := missing([]Ownership{
		row("gone", Absent, ""), row("going", Absent, "is being deleted"), row("ours", Ours, ""), row("twice", Absent, ""), row("twice", Ours, ""),
	})
	if len(got) != 1 || !got["Service/a/gone"] {
		t.Errorf("got %v", got)
	}
}
