package manager

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// Mallory may edit the namespace of her team, as the ClusterRole edit lets her.
// There she reads and writes the records of the platform's releases.

// tenancy is a fleet, and Mallory in the namespace of its first team.
type tenancy struct {
	*testing.T
	name           string
	admin, mallory kubernetes.Interface
}

const tenancyText = `metadata: {name: %[1]s}
spec:
  charts: {crds: %[2]s/crds, platform: %[2]s/platform}
  crds: {namespace: %[1]s-crds}
  values: [{crds: {group: %[1]s.example.com}, platform: {group: %[1]s.example.com}}]
  platforms: [{namespace: %[1]s-a%[3]s}]
`

func newTenancy(t *testing.T, name string) *tenancy {
	t.Helper()
	client := func(user string) kubernetes.Interface {
		config := rest.CopyConfig(shared.Config)
		config.Impersonate.UserName = user
		kube, err := kubernetes.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		return kube
	}
	m := &tenancy{T: t, name: name, admin: client(""), mallory: client("mallory-" + name)}
	if out, err := m.run("apply", m.fleet("")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "mallory"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "mallory-" + name}},
	}
	m.must(m.admin.RbacV1().RoleBindings(name+"-a").Create(t.Context(), binding, metav1.CreateOptions{}))
	put(t, shared, strings.ReplaceAll(victims, "NAME", name))
	return m
}

// What Mallory may not touch, and what she wants.
const victims = `
apiVersion: v1
kind: Namespace
metadata: {name: NAME-victim}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: victim, namespace: NAME-victim}
data: {text: untouched}
`

const loot = `
---
apiVersion: v1
kind: Namespace
metadata: {name: NAME-victim}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: victim, namespace: NAME-victim}
data: {text: mine}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: NAME-loot}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: User, apiGroup: rbac.authorization.k8s.io, name: mallory-NAME}]
`

func (m *tenancy) must(_ any, err error) {
	m.Helper()
	if err != nil {
		m.Fatal(err)
	}
}

// fleet writes a file whose platform has further keys.
func (m *tenancy) fleet(more string) string {
	charts, err := filepath.Abs("testdata/charts")
	m.must(nil, err)
	return writeFleet(m.T, fmt.Sprintf(tenancyText, m.name, charts, more))
}

func (m *tenancy) run(verb, file string, flags ...string) (string, error) {
	m.Helper()
	return wheelhouse(m.T, shared, append([]string{verb, "-f", file}, flags...)...)
}

// forge lets Mallory write a record: what the first revision holds and loot, as
// revision to of a release.
func (m *tenancy) forge(to int, release string) {
	m.Helper()
	m.write(to, release, strings.ReplaceAll(loot, "NAME", m.name))
}

// write is forge with something else than loot.
func (m *tenancy) write(to int, release, added string) {
	m.Helper()
	name := func(release string, revision int) string {
		return fmt.Sprintf("sh.helm.release.v1.%s.v%d", release, revision)
	}
	secrets := m.mallory.CoreV1().Secrets(m.name + "-a")
	genuine, err := secrets.Get(m.Context(), name("dynamo-platform", 1), metav1.GetOptions{})
	m.must(nil, err)
	record, err := decodeRecord(genuine.Data["release"])
	m.must(nil, err)
	info, _ := record["info"].(map[string]any)
	info["status"], record["version"], record["name"] = "deployed", to, release
	record["manifest"] = fmt.Sprint(record["manifest"]) + added
	data, err := encodeRecord(record)
	m.must(nil, err)
	forged := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name(release, to), Labels: maps.Clone(genuine.Labels)},
		Type:       genuine.Type, Data: map[string][]byte{"release": data},
	}
	forged.Labels["name"], forged.Labels["status"], forged.Labels["version"] = release, "deployed", fmt.Sprint(to)
	_, err = secrets.Create(m.Context(), forged, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		_, err = secrets.Update(m.Context(), forged, metav1.UpdateOptions{})
	}
	m.must(nil, err)
}

// untouched makes sure that Mallory has got nothing.
func (m *tenancy) untouched(what, out string) {
	m.Helper()
	ctx := context.Background()
	ns, err := m.admin.CoreV1().Namespaces().Get(ctx, m.name+"-victim", metav1.GetOptions{})
	if err != nil || ns.DeletionTimestamp != nil {
		m.Errorf("%s: the victim's namespace is gone: %v\n%s", what, err, out)
	}
	victim, err := m.admin.CoreV1().ConfigMaps(m.name+"-victim").Get(ctx, "victim", metav1.GetOptions{})
	if err != nil || victim.Data["text"] != "untouched" {
		m.Errorf("%s: the victim's ConfigMap was touched: %v\n%s", what, err, out)
	}
	if _, err := m.admin.RbacV1().ClusterRoleBindings().Get(ctx, m.name+"-loot", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		m.Errorf("%s: Mallory has her binding: %v\n%s", what, err, out)
	}
}

func (m *tenancy) says(what, out string, wanted ...string) {
	m.Helper()
	text := strings.Join(strings.Fields(out), " ")
	for _, want := range wanted {
		if !strings.Contains(text, strings.ReplaceAll(want, "NAME", m.name)) {
			m.Errorf("%s does not say %q:\n%s", what, want, out)
		}
	}
}

// forget finds the command that a refusal advises, and does what it says.
var forget = regexp.MustCompile(`kubectl -n (\S+) delete secret (\S+);`)

func (m *tenancy) follow(out string) {
	m.Helper()
	advice := forget.FindStringSubmatch(out)
	if advice == nil {
		m.Fatalf("no way out is named:\n%s", out)
	}
	m.must(nil, m.admin.CoreV1().Secrets(advice[1]).Delete(m.Context(), advice[2], metav1.DeleteOptions{}))
}

// A record that was changed after we wrote it restores and deletes nothing, and
// is named with what to do, which then works.
func TestAlteredRecordsAreRefused(t *testing.T) {
	t.Parallel()
	m := newTenancy(t, "altered")
	changed := m.fleet(", values: [{platform: {text: changed, second: false}}]")
	named := "the record of release NAME-a/dynamo-platform, revision 1, is not what wheelhouse wrote"
	m.forge(1, "dynamo-platform")
	for verb, flags := range map[string][]string{"apply": {"--yes"}, "destroy": {"--yes"}} {
		out, err := m.run(verb, changed, flags...)
		if err == nil {
			t.Errorf("%s believed the record:\n%s", verb, out)
		}
		m.says(verb, out, named, "kubectl -n NAME-a delete secret sh.helm.release.v1.dynamo-platform.v1")
		m.untouched(verb, out)
	}
	m.write(1, "dynamo-platform", "\n---\n{]: this is no YAML\n")
	out, _ := m.run("plan", changed)
	m.says("plan of what cannot be read", out, named)
	m.forge(1, "dynamo-platform")
	out, _ = m.run("apply", changed, "--yes", "--on-failure=rollback")
	m.says("apply --on-failure", out, named)
	m.untouched("apply --on-failure", out)

	m.follow(out)
	if out, err := m.run("apply", changed, "--yes", "--adopt"); err != nil {
		t.Fatalf("after the advice: %v\n%s", err, out)
	}
	if out, err := m.run("apply", m.fleet(", values: [{platform: {text: again}}]"), "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.forge(1, "dynamo-platform")
	out, err := m.run("rollback", changed, "--yes")
	if err == nil {
		t.Errorf("rollback believed the record:\n%s", out)
	}
	m.says("rollback", out, named)
	m.untouched("rollback", out)
}

// A record that we did not write deletes what carries the marks of its release,
// where the release lives, and restores nothing beyond.
func TestForgedRecordsReachNothingOutside(t *testing.T) {
	t.Parallel()
	m := newTenancy(t, "forged")
	m.forge(99, "dynamo-platform")
	changed := m.fleet(", values: [{platform: {text: changed, second: false}}]")
	out, err := m.run("apply", changed, "--yes")
	if err != nil {
		t.Fatalf("a forged record stops the tenant's platform: %v\n%s", err, out)
	}
	m.says("apply", out, "left alone: ConfigMap NAME-victim/victim: it does not carry the marks of release NAME-a/dynamo-platform")
	m.untouched("apply", out)
	if _, err := m.admin.CoreV1().ConfigMaps("forged-a").Get(t.Context(), "dynamo-platform-second", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("what the release itself no longer has is still there: %v", err)
	}

	// Taken back: nobody was asked about a record that we did not write.
	m.forge(199, "dynamo-platform")
	broken := m.fleet(", values: [{platform: {text: broken, deployment: true}}]")
	out, err = m.run("apply", broken, "--yes", "--on-failure=rollback", "--timeout", "500ms")
	if err == nil {
		t.Fatalf("nothing failed:\n%s", out)
	}
	m.says("apply --on-failure", out, "if a step fails, this is taken back:", "its Helm revision 199 was not written by wheelhouse, so nothing goes back to it unasked")
	m.untouched("apply --on-failure", out)

	if out, err = m.run("apply", m.fleet(""), "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.forge(299, "dynamo-platform")
	if out, err = m.run("destroy", m.fleet(""), "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.says("destroy", out, "left alone: ConfigMap NAME-victim/victim")
	m.untouched("destroy", out)
	if _, err := m.admin.CoreV1().ConfigMaps("forged-a").Get(t.Context(), "dynamo-platform-text", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
		t.Errorf("destroy left the release's own object: %v", err)
	}
}

// A release of which only its own label says that it is of the fleet is nobody's
// to prune or to destroy.
func TestForgedOrphansAreLeftAlone(t *testing.T) {
	t.Parallel()
	m := newTenancy(t, "orphaned")
	m.forge(1, "stranger")
	for what, flags := range map[string][]string{"apply": {"--prune", "--yes"}, "plan": nil, "status": nil, "destroy": {"--yes"}} {
		if what == "destroy" {
			continue
		}
		out, _ := m.run(what, m.fleet(""), flags...)
		m.untouched(what, out)
		if what == "plan" {
			m.says(what, out, "claims to belong to fleet NAME, not in its journal, left alone: release NAME-a/stranger")
		}
		if what == "status" {
			m.says(what, out, "release NAME-a/stranger claims to belong to this fleet, but is not in its journal")
		}
	}
	out, err := m.run("destroy", m.fleet(""), "--yes")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	m.says("destroy", out, "claims to belong to fleet NAME, not in its journal, left alone: release NAME-a/stranger")
	m.untouched("destroy", out)
	if _, err := m.admin.CoreV1().Secrets("orphaned-a").Get(t.Context(), "sh.helm.release.v1.stranger.v1", metav1.GetOptions{}); err != nil {
		t.Errorf("the stranger's record: %v", err)
	}
}
