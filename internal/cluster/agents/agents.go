// Package agents asks the checkpoint agents of a namespace about what is stored, by a
// program in one of their pods. Who may not run programs there learns nothing.
package agents

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/wheelhouse-dev/wheelhouse/internal/cluster/session"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// Agents are those of one namespace.
type Agents struct {
	session   *session.Session
	namespace string
}

// Connect finds the cluster, as kubectl would.
func Connect(ctx context.Context, flags *genericclioptions.ConfigFlags, namespace string) (*Agents, error) {
	s, err := session.Connect(ctx, flags)
	if err != nil {
		return nil, err
	}
	return &Agents{s, namespace}, nil
}

// Ask runs the agent's program in one of their pods, and returns what it prints. What it
// says of an error is the error.
func (a *Agents) Ask(ctx context.Context, args ...string) ([]byte, error) {
	pods, err := a.session.Kube.CoreV1().Pods(a.namespace).List(ctx, metav1.ListOptions{LabelSelector: marks.Agents})
	if err != nil {
		return nil, a.session.Explain("list the agents in namespace "+a.namespace, err)
	}
	pod := ready(pods.Items)
	if pod == nil {
		return nil, fmt.Errorf("namespace %s has %d checkpoint agents, and none is ready: name the namespace of the release of chrek with -n", a.namespace, len(pods.Items))
	}
	out, err := a.run(ctx, pod, append([]string{"/chrek-agent"}, args...))
	if err != nil {
		return nil, a.session.Explain(fmt.Sprintf("ask the agent %s/%s", a.namespace, pod.Name), err)
	}
	return out, nil
}

func (a *Agents) run(ctx context.Context, pod *corev1.Pod, command []string) ([]byte, error) {
	executor, err := a.executor(pod, command)
	if err != nil {
		return nil, err
	}
	var out, problems bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdout: &out, Stderr: &problems})
	var ended exec.CodeExitError
	if errors.As(err, &ended) {
		return nil, errors.New(strings.TrimPrefix(strings.TrimSpace(problems.String()), "chrek-agent: "))
	}
	return out.Bytes(), err
}

// executor speaks to the API server as kubectl does: by WebSocket, and by SPDY to one that
// does not know that. The session's own transport can do neither.
func (a *Agents) executor(pod *corev1.Pod, command []string) (remotecommand.Executor, error) {
	config, err := a.session.ToRawKubeConfigLoader().ClientConfig()
	if err != nil {
		return nil, err
	}
	config.GroupVersion, config.APIPath = &corev1.SchemeGroupVersion, "/api"
	config.NegotiatedSerializer = scheme.Codecs.WithoutConversion()
	client, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, err
	}
	url := client.Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("exec").VersionedParams(
		&corev1.PodExecOptions{Container: "agent", Command: command, Stdout: true, Stderr: true}, scheme.ParameterCodec).URL()
	old, err := remotecommand.NewSPDYExecutor(config, "POST", url)
	if err != nil {
		return nil, err
	}
	current, err := remotecommand.NewWebSocketExecutor(config, "GET", url.String())
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(current, old, httpstream.IsUpgradeFailure)
}

// ready is an agent that can be asked, nil if there is none.
func ready(pods []corev1.Pod) *corev1.Pod {
	for i := range pods {
		for _, c := range pods[i].Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue && pods[i].DeletionTimestamp == nil {
				return &pods[i]
			}
		}
	}
	return nil
}
