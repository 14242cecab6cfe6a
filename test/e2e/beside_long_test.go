//go:build e2e && beside

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

const (
	// former is the commit that stands for the version before this one.
	former        = "d41858f"
	formerVersion = "0.9.0"

	operatorImage = "ghcr.io/wheelhouse-dev/dynamo-operator"
)

// beside is two teams' own fleets on one cluster, and the definitions that an
// administrator has installed.
type beside struct {
	dir, chart string
}

// TestVersionsBesideEachOther: under the newest definitions, team-a's platform is of
// the former version and team-b's of this one. Both work; team-a upgrades and goes
// back; nothing of team-b's is written by either, and no pod of a graph restarts.
func TestVersionsBesideEachOther(t *testing.T) {
	b := &beside{dir: t.TempDir()}
	b.build(t)
	admin := b.fleet(t, "definitions", "", "", "")
	old, current := b.fleet(t, "team-a", "team-a", b.chart, formerVersion), b.fleet(t, "team-a", "team-a", "", "")
	other := b.fleet(t, "team-b", "team-b", "", "")

	run(t, "wheelhouse", "apply", "-f", admin, "--yes")
	run(t, "wheelhouse", "apply", "-f", other, "--yes")
	run(t, "wheelhouse", "apply", "-f", old, "--yes")
	for _, team := range []string{"team-a", "team-b"} {
		run(t, "kubectl", "apply", "--server-side", "-n", team, "-f", "test/e2e/testdata/beside/graph.yaml")
	}
	for _, team := range []string{"team-a", "team-b"} {
		run(t, "kubectl", "wait", "-n", team, "--for=condition=Ready", "--timeout=120s", "dynamographdeployment/chat")
		answers(t, team)
	}
	b.runs(t, "team-a", formerVersion)
	b.runs(t, "team-b", "1.0.0")
	pods, others := graphPods(t, "team-a"), graphPods(t, "team-b")

	began := time.Now()
	step := func(what, version string, args ...string) {
		t.Helper()
		run(t, args...)
		b.runs(t, "team-a", version)
		if now := graphPods(t, "team-a"); now != pods {
			t.Errorf("%s: the pods of team-a's graph were\n%sand are\n%s", what, pods, now)
		}
		answers(t, "team-a")
		followsAnEdit(t, "team-a", pods)
	}
	step("the upgrade", "1.0.0", "wheelhouse", "apply", "-f", current, "--yes")
	step("the way back", formerVersion, "wheelhouse", "rollback", "-f", old, "--yes")
	step("the upgrade again", "1.0.0", "wheelhouse", "apply", "-f", current, "--yes")

	if now := graphPods(t, "team-b"); now != others {
		t.Errorf("the pods of team-b's graph were\n%sand are\n%s", others, now)
	}
	foreign := writesInto(t, began, "team-b", platformOf("team-b"), func(r cluster.Request) bool {
		return strings.HasPrefix(r.Agent, "wheelhouse/") || strings.Contains(r.User.Username, ":"+platformOf("team-a")+":")
	})
	if len(foreign) > 0 {
		t.Errorf("into team-b's namespaces were written: %s", strings.Join(foreign, "\n"))
	}
	own := writesInto(t, began, "team-a", platformOf("team-a"), func(r cluster.Request) bool {
		return strings.Contains(r.User.Username, ":"+platformOf("team-a")+":")
	})
	if len(own) == 0 {
		t.Error("the audit log knows of no write of team-a's own operators, so it proves nothing")
	}
	fmt.Printf("operator %s beside 1.0.0: upgrade, rollback, upgrade; %d writes in the team's own namespaces, %d in the other's\n", formerVersion, len(own), len(foreign))
	for _, file := range []string{current, other, admin} {
		run(t, "wheelhouse", "destroy", "-f", file, "--yes", "--with-graphs")
	}
}

// build makes the former version's chart and image from its sources.
func (b *beside) build(t *testing.T) {
	sources := filepath.Join(b.dir, "former")
	archive := filepath.Join(b.dir, "former.tar")
	run(t, "git", "archive", "-o", archive, former)
	if err := os.Mkdir(sources, 0o755); err != nil {
		t.Fatal(err)
	}
	run(t, "tar", "-xf", archive, "-C", sources)
	run(t, "go", "-C", sources, "run", "./images/build", "--out", b.dir, "dynamo-operator")
	run(t, "go", "-C", sources, "run", "./charts/package", "--out", b.dir)
	run(t, "drydock", "load", "--name", node, filepath.Join(b.dir, "dynamo-operator.tar"), "--as", operatorImage+":"+formerVersion)
	// An archive is loaded under the name in it, too, which is this version's.
	run(t, "drydock", "load", "--name", node, "dist/images/dynamo-operator.tar")
	packages, err := filepath.Glob(filepath.Join(b.dir, "dynamo-platform-*.tgz"))
	if err != nil || len(packages) != 1 {
		t.Fatalf("packages %v, %v", packages, err)
	}
	b.chart = packages[0]
}

// fleet writes a fleet file: that of a team, or without one that of the definitions.
func (b *beside) fleet(t *testing.T, name, team, chart, version string) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: %s}\nspec:\n  profiles: [dev]\n", name)
	if team != "" {
		fmt.Fprintf(&text, "  crds: {install: false}\n")
	}
	if chart != "" {
		fmt.Fprintf(&text, "  charts: {platform: %s}\n", chart)
	}
	fmt.Fprintf(&text, "  values: [{platform: {nats: {enabled: false}%s}}]\n", imageTag(version))
	platform := ""
	if team != "" {
		platform = fmt.Sprintf("{namespace: %s, serves: %s}", platformOf(team), team)
	}
	fmt.Fprintf(&text, "  platforms: [%s]\n", platform)
	file := filepath.Join(b.dir, name+version+".yaml")
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func imageTag(version string) string {
	if version == "" {
		return ""
	}
	return fmt.Sprintf(", dynamo-operator: {controllerManager: {manager: {image: {tag: %s}}}}", version)
}

// runs fails unless the operator of a team is ready and of this version.
func (b *beside) runs(t *testing.T, team, version string) {
	t.Helper()
	images := run(t, "kubectl", "get", "pods", "-n", platformOf(team), "-l", "control-plane=controller-manager",
		"--field-selector=status.phase=Running", "-o", `jsonpath={.items[?(@.status.containerStatuses[0].ready==true)].spec.containers[0].image}`)
	if !strings.Contains(images, operatorImage+":"+version) {
		t.Errorf("the operators of %s run %s, want version %s", team, images, version)
	}
}

// graphPods are the pods of a team's graph, by name and UID.
func graphPods(t *testing.T, team string) string {
	t.Helper()
	lines := strings.Split(run(t, "kubectl", "get", "pods", "-n", team, "-l", "nvidia.com/dynamo-graph-deployment-name=chat", "-o",
		`jsonpath={range .items[*]}{.metadata.name} {.metadata.uid}{"\n"}{end}`), "\n")
	slices.Sort(lines)
	return strings.TrimSpace(strings.Join(lines, "\n")) + "\n"
}

func answers(t *testing.T, team string) {
	t.Helper()
	address, stop := forward(t, team, "service/chat-frontend")
	defer stop()
	eventually(t, 30*time.Second, func() error {
		_, err := ask(address)
		return err
	})
}

// followsAnEdit: the operator that serves now makes a second frontend, and removes it.
func followsAnEdit(t *testing.T, team, pods string) {
	t.Helper()
	scale := func(replicas int) {
		t.Helper()
		run(t, "kubectl", "patch", "-n", team, "dynamographdeployment/chat", "--type=merge",
			"-p", fmt.Sprintf(`{"spec":{"services":{"Frontend":{"replicas":%d}}}}`, replicas))
	}
	scale(2)
	eventually(t, 90*time.Second, func() error {
		if ready := run(t, "kubectl", "get", "-n", team, "deployment/chat-frontend", "-o", "jsonpath={.status.readyReplicas}"); ready != "2" {
			return fmt.Errorf("%s of 2 frontends are ready", ready)
		}
		return nil
	})
	scale(1)
	eventually(t, 90*time.Second, func() error {
		if now := graphPods(t, team); now != pods {
			return fmt.Errorf("the pods were\n%sand are\n%s", pods, now)
		}
		return nil
	})
}

// writesInto are the answered writes of some clients in two namespaces.
func writesInto(t *testing.T, since time.Time, team, platform string, by func(cluster.Request) bool) []string {
	t.Helper()
	node := &cluster.Cluster{Kubeconfig: os.Getenv("KUBECONFIG")}
	requests, err := node.Requests("", since)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, r := range requests {
		if r.Writes() && by(r) && (r.ObjectRef.Namespace == team || r.ObjectRef.Namespace == platform) {
			found = append(found, fmt.Sprintf("%s %s by %s (%s)", r.Verb, r.URI, r.User.Username, r.Agent))
		}
	}
	return found
}
