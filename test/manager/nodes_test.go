package manager

import (
	"context"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// node registers a node with the label "pool", as a kubelet would; nothing runs on it.
func node(ts *testscript.TestScript, _ bool, args []string) {
	kube, err := kubernetes.NewForConfig(shared.Config)
	ts.Check(err)
	labels := map[string]string{"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", "pool": args[1]}
	_, err = kube.CoreV1().Nodes().Create(context.Background(), &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: args[0], Labels: labels}}, metav1.CreateOptions{})
	ts.Check(err)
	ts.Defer(func() {
		ts.Check(kube.CoreV1().Nodes().Delete(context.Background(), args[0], metav1.DeleteOptions{}))
	})
}

// agents waits until the chrek agents of a namespace have been created, and lets
// some of them get ready, as a kubelet would.
func agents(ts *testscript.TestScript, _ bool, args []string) {
	kube, err := kubernetes.NewForConfig(shared.Config)
	ts.Check(err)
	wanted, err := strconv.Atoi(args[1])
	ts.Check(err)
	pods := kube.CoreV1().Pods(args[0])
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		list, err := pods.List(context.Background(), metav1.ListOptions{LabelSelector: "app.kubernetes.io/name=checkpoint-agent"})
		ts.Check(err)
		if len(list.Items) < wanted {
			if time.Now().After(deadline) {
				ts.Fatalf("%d of %d agents in %s", len(list.Items), wanted, args[0])
			}
			continue
		}
		for _, pod := range list.Items[:wanted] {
			pod.Status.Phase = corev1.PodRunning
			pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
			_, err := pods.UpdateStatus(context.Background(), &pod, metav1.UpdateOptions{})
			ts.Check(err)
		}
		return
	}
}
