package attacks

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/test/cluster"
)

// operator is the real program, with exactly the rights of its chart.
type operator struct {
	process *exec.Cmd
	metrics string
	log     string
}

// operate runs an operator for one namespace until the test ends or stop is called.
func operate(t *testing.T, namespace string, change ...func(*config.OperatorConfiguration)) *operator {
	t.Helper()
	o := &operator{metrics: cluster.FreeAddress(t), log: filepath.Join(t.TempDir(), "log")}
	cfg := config.Default()
	cfg.APIVersion, cfg.Kind = config.APIVersion, config.Kind
	cfg.Namespace.Restricted = namespace
	cfg.LeaderElection.Enabled = false
	cfg.Server.HealthProbe.BindAddress = config.Off
	cfg.Server.Metrics = config.Metrics{BindAddress: o.metrics}
	for _, c := range change {
		c(cfg)
	}
	text, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(o.log)
	if err != nil {
		t.Fatal(err)
	}
	o.process = exec.CommandContext(context.Background(), program(t, "operator"), "--config", file)
	o.process.Env = append(os.Environ(), "KUBECONFIG="+kubeconfigOf(t, grantOperator(t, namespace, cfg)))
	o.process.Stdout, o.process.Stderr = log, log
	if err := o.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.stop)
	t.Cleanup(func() {
		if text, err := os.ReadFile(o.log); t.Failed() && err == nil {
			t.Logf("the operator said last:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return o
}

func (o *operator) stop() {
	if o.process.ProcessState == nil {
		_ = o.process.Process.Kill()
		_ = o.process.Wait() // it was killed
	}
}

// grantOperator makes a user with the rights of an operator.
func grantOperator(t *testing.T, namespace string, cfg *config.OperatorConfiguration) string {
	t.Helper()
	name := "operator@" + namespace
	in := metav1.ObjectMeta{Namespace: namespace, Name: "operator"}
	for _, object := range []client.Object{
		&rbacv1.Role{ObjectMeta: in, Rules: manager.PermissionsFor(cfg).Served},
		&rbacv1.RoleBinding{
			ObjectMeta: in, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: in.Name},
			Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: name}},
		},
	} {
		if err := admin(t).Create(context.Background(), object); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	return name
}

// peak is the most memory that the operator has had so far, in bytes.
func (o *operator) peak(t *testing.T) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", o.process.Process.Pid))
	if err != nil {
		t.Fatalf("the operator has ended: %v", err)
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("no peak in\n%s", status)
	}
	kilobytes, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kilobytes << 10
}

// looks is how many looks at objects of a kind the operator has finished, 0 if it
// does not tell yet.
func (o *operator) looks(t *testing.T, kind string) int {
	t.Helper()
	page, err := cluster.Fetch("http://" + o.metrics + "/metrics")
	if err != nil {
		return 0
	}
	line := regexp.MustCompile(`controller_runtime_reconcile_total\{controller="` + kind + `",result="[a-z_]+"\} (\d+)`)
	total := 0
	for _, found := range line.FindAllStringSubmatch(page, -1) {
		n, err := strconv.Atoi(found[1])
		if err != nil {
			t.Fatal(err)
		}
		total += n
	}
	return total
}

// refused waits until the status of a graph says so, and returns what it says.
func refused(t *testing.T, namespace, name, want string) string {
	t.Helper()
	said := ""
	cluster.Eventually(t, "the status of graph "+name, func() error {
		dgd := &v1alpha1.DynamoGraphDeployment{}
		if err := admin(t).Get(context.Background(), client.ObjectKey{Namespace: namespace, Name: name}, dgd); err != nil {
			return err
		}
		ready := meta.FindStatusCondition(dgd.Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || !strings.Contains(ready.Reason+": "+ready.Message, want) {
			return fmt.Errorf("%+v, want %q", ready, want)
		}
		said = ready.Message
		return nil
	})
	return said
}
