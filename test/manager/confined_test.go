package manager

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const confinedFleet = "metadata: {name: team}\nspec:\n  crds: {install: false}\n  values: [{platform: {nats: {enabled: false}}}]\n  platforms: [{namespace: team}]\n"

// Whose rights end at a namespace runs a platform there, and asks for nothing
// outside it but what is served and what one may; with less, nothing is written.
func TestATeamKeepsToItsNamespace(t *testing.T) {
	c := cluster.Start(t)
	definitions := writeFleet(t, "metadata: {name: central}\nspec: {platforms: []}\n")
	if out, err := wheelhouse(t, c, "apply", "-f", definitions, "--yes"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	team := newTeam(t, c, "team")
	fleet := writeFleet(t, confinedFleet)
	debug := []string{"--set", "platform.dynamo-operator.controllerManager.logLevel=debug"}

	for _, command := range []struct {
		code int
		says string
		args []string
	}{
		{0, "is valid", []string{"validate"}},
		{2, "1 to install", []string{"plan"}},
		{0, "1 installed", []string{"apply", "--no-wait", "--yes"}},
		{1, "1 of 1 release is not ready", []string{"status"}}, // nobody runs pods here
		{0, "No changes", []string{"plan", "--drift"}},
		{0, "1 upgraded", append([]string{"apply", "--no-wait", "--yes"}, debug...)},
		{0, "applied", []string{"history"}},
		{0, "1 rolled back", []string{"rollback", "--no-wait", "--yes"}},
	} {
		team.runs("admin", fleet, command.code, command.says, command.args...)
	}
	if out, err := wheelhouse(t, c, "status", "-f", definitions); err != nil || !strings.Contains(oneLine(out), "team team dynamo-platform dynamo-platform-") {
		t.Errorf("the administrator's status does not list the team's release: %v\n%s", err, out)
	}
	if out, _ := wheelhouse(t, c, "plan", "-f", changedDefinitions(t)); !strings.Contains(oneLine(out), "concerns the objects of 1 other fleet: team (in team)") {
		t.Errorf("an upgrade of the CRDs does not say whose objects it concerns:\n%s", out)
	}
	for _, role := range []string{"edit", "view"} {
		team.runs(role, fleet, 0, "is valid", "validate")
		for _, args := range [][]string{
			append([]string{"plan"}, debug...), append([]string{"apply", "--no-wait", "--yes"}, debug...), {"rollback", "--to", "2", "--no-wait", "--yes"}, {"destroy", "--yes"},
		} {
			out := team.runs(role, fleet, 1, "Whoever administers the fleet's namespaces", args...)
			if strings.Contains(out, "An administrator of the cluster") {
				t.Errorf("what the namespace's administrator can grant is asked of the cluster's:\n%s", out)
			}
		}
	}
	team.runs("edit", fleet, 0, "rollback to 1", "history")
	team.runs("view", fleet, 1, "ask an administrator for this permission", "history")
	team.runs("edit", fleet, 1, "Nothing is said of what the file wants: cannot read", "status")
	team.runs("view", fleet, 1, "ask for list on secrets", "status")
	team.runs("admin", fleet, 0, "Done. Nothing was kept", "destroy", "--yes")

	platform := packageOf(t, "platform")
	values := []string{"--set", "nats.enabled=false,dynamo-operator.namespaceRestriction.enabled=true"}
	for _, command := range [][]string{
		append([]string{"install", "dynamo-platform", platform}, values...),
		append([]string{"upgrade", "dynamo-platform", platform, "--set", "dynamo-operator.controllerManager.logLevel=debug"}, values...),
		{"rollback", "dynamo-platform"},
		{"uninstall", "dynamo-platform"},
	} {
		team.helm(command...)
	}
	team.audits()
}

// changedDefinitions is the fleet of the CRDs, one of which reads differently.
func changedDefinitions(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	chart, err := fs.Sub(charts.FS(), "crds")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(dir, chart); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "definitions", "dynamographdeployments.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "description: Spec is the desired", "description: Spec is now the desired", 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return writeFleet(t, "metadata: {name: central}\nspec: {charts: {crds: "+dir+"}, platforms: []}\n")
}

// team are users with a role each in one namespace.
type team struct {
	t         *testing.T
	c         *cluster.Cluster
	namespace string
	ran       []ran
}

// ran is a command, whose requests are those of its program while it ran.
type ran struct {
	command, role, agent, outcome string
	began, ended                  time.Time
}

func newTeam(t *testing.T, c *cluster.Cluster, namespace string) *team {
	t.Helper()
	kube, err := kubernetes.NewForConfig(c.Config)
	if err != nil {
		t.Fatal(err)
	}
	_, err = kube.CoreV1().Namespaces().Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}}, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		t.Fatal(err)
	}
	for _, role := range []string{"admin", "edit", "view"} {
		binding := &rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: role}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
			Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: namespace + "-" + role}},
		}
		if _, err := kube.RbacV1().RoleBindings(namespace).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	team := &team{t: t, c: c, namespace: namespace}
	team.awaitRole(kube)
	team.awaitKinds(kube)
	return team
}

// awaitKinds waits until the API server tells of all our kinds, which takes it a moment
// after they are established.
func (v *team) awaitKinds(kube kubernetes.Interface) {
	v.t.Helper()
	cluster.Eventually(v.t, "the API server tells of our kinds", func() error {
		paths, err := kube.Discovery().OpenAPIV3().Paths()
		if err != nil {
			return err
		}
		served, known := paths["apis/nvidia.com/v1alpha1"]
		if !known {
			return errors.New("it does not know the group")
		}
		document, err := served.Schema("application/json")
		if err != nil {
			return err
		}
		for _, kind := range []string{"DynamoGraphDeployment", "DynamoComponentDeployment", "DynamoGraphDeploymentScalingAdapter", "DynamoGraphDeploymentRequest", "DynamoModel", "DynamoCheckpoint", "DynamoWorkerMetadata"} {
			if !strings.Contains(string(document), fmt.Sprintf("%q:%q", "kind", kind)) {
				return errors.New(kind + " is not served")
			}
		}
		return nil
	})
}

// awaitRole waits until Kubernetes has added our roles to its own.
func (v *team) awaitRole(kube kubernetes.Interface) {
	v.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		admin, err := kube.RbacV1().ClusterRoles().Get(v.t.Context(), "admin", metav1.GetOptions{})
		if err == nil && slices.ContainsFunc(admin.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.Resources, "dynamoworkermetadatas") && slices.Contains(r.Verbs, "create")
		}) {
			return
		}
		if time.Now().After(end) {
			v.t.Fatalf("ClusterRole admin has no rights to our kinds: %v", err)
		}
	}
}

// runs runs wheelhouse as one of the team, which ends with a code and says
// something.
func (v *team) runs(role, fleet string, code int, says string, args ...string) string {
	v.t.Helper()
	began := time.Now()
	out, err := wheelhouse(v.t, v.c, slices.Concat(args, []string{"-f", fleet, "--as", v.namespace + "-" + role})...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if got != code || !strings.Contains(oneLine(out), oneLine(says)) {
		v.t.Errorf("%s as %s: exit code %d, want %d and %q:\n%s", strings.Join(args, " "), role, got, code, says, out)
	}
	v.ran = append(v.ran, ran{args[0], role, "wheelhouse/", fmt.Sprintf("exit code %d: %s", got, says), began, time.Now()})
	return out
}

// helm runs stock Helm as the namespace's administrator.
func (v *team) helm(args ...string) {
	v.t.Helper()
	began := time.Now()
	if out, err := stockHelm(v.t, v.c, slices.Concat(args, []string{"-n", v.namespace, "--kube-as-user", v.namespace + "-admin"})...); err != nil {
		v.t.Errorf("helm %s: %v\n%s", args[0], err, out)
	}
	v.ran = append(v.ran, ran{"helm " + args[0], "admin", "Helm/", "done", began, time.Now()})
}

// asked lists what a command asked outside the namespace besides reviews of its
// user's own rights, and counts what it wrote.
func (v *team) asked(requests []cluster.Request, by ran) (outside map[string]int, wrote int) {
	outside = map[string]int{}
	for _, r := range requests {
		at := r.ObjectRef
		if !strings.HasPrefix(r.Agent, by.agent) || r.Received.Before(by.began) || r.Received.After(by.ended) {
			continue
		}
		if r.Writes() {
			wrote++
		}
		if at.Resource != "" && at.Namespace != v.namespace && !strings.HasPrefix(at.Resource, "selfsubject") {
			outside[strings.TrimSpace(fmt.Sprint(r.Verb, " ", at.Resource, " ", at.Namespace, "/", at.Name))]++
		}
	}
	return outside, wrote
}

// audits holds what every command asked against the audit log, and prints it.
func (v *team) audits() {
	v.t.Helper()
	requests, err := v.c.Requests("", v.ran[0].began)
	if err != nil {
		v.t.Fatal(err)
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "COMMAND\tROLE\tOUTCOME\tREQUESTS OUTSIDE")
	for _, run := range v.ran {
		asked, wrote := v.asked(requests, run)
		if len(asked) > 0 {
			v.t.Errorf("%s as %s asked outside the namespace: %v", run.command, run.role, slices.Sorted(maps.Keys(asked)))
		}
		if run.role != "admin" && wrote > 0 {
			v.t.Errorf("%s as %s wrote %d times", run.command, run.role, wrote)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\n", run.command, run.role, run.outcome, len(asked))
	}
	if err := w.Flush(); err != nil {
		v.t.Fatal(err)
	}
	v.t.Log("\n" + table.String())
}
