// Package podhttp asks the programs in the pods of graphs. What they answer is
// what their authors had them say.
package podhttp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

const (
	// dialTimeout bounds the opening of a connection.
	dialTimeout = 5 * time.Second
	// longestAnswer is how much of an answer is read, in bytes.
	longestAnswer = 1 << 20
)

// ErrUnknown says that the server does not know what was asked for.
var ErrUnknown = errors.New("unknown to the server")

// server speaks with workers and frontends. It follows no redirects: where a pod
// sends it is not where it was sent.
var server = &http.Client{
	Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute,
	},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Address is where the main container of a pod listens on a port, as a URL.
func Address(pod corev1.Pod, port string, usual int32) string {
	for _, container := range pod.Spec.Containers {
		if container.Name == v1alpha1.MainContainerName {
			return address(pod, container, port, usual)
		}
	}
	return address(pod, corev1.Container{}, port, usual)
}

// Frontend is where a frontend listens, as a URL: that of a pod of frontends, or
// the one beside a worker. "" for other pods.
func Frontend(pod corev1.Pod) string {
	if pod.Labels[v1alpha1.LabelComponentType] == v1alpha1.ComponentTypeFrontend {
		return Address(pod, "http", 8000)
	}
	if pod.Labels[v1alpha1.LabelComponentClass] != v1alpha1.ClassWorker {
		return ""
	}
	for _, container := range pod.Spec.Containers {
		if slices.Contains(container.Env, corev1.EnvVar{Name: "DYN_COMPONENT", Value: v1alpha1.ComponentTypeFrontend}) {
			return address(pod, container, "http", 8000)
		}
	}
	return ""
}

func address(pod corev1.Pod, container corev1.Container, port string, usual int32) string {
	number := usual
	for _, p := range container.Ports {
		if p.Name == port {
			number = p.ContainerPort
		}
	}
	return "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(int(number)))
}

// IsReady reports whether a pod's condition Ready is True.
func IsReady(pod corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// Call sends body and reads answer, both as JSON and both nil where there is
// none. It fails with ErrUnknown on 404, and on whatever else is no success.
func Call(ctx context.Context, timeout time.Duration, method, target string, body, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var data []byte
	if body != nil {
		var err error
		if data, err = json.Marshal(body); err != nil {
			return err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(data))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := server.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, longestAnswer))
	switch {
	case err != nil:
		return fmt.Errorf("%s %s: %w", method, target, err)
	case response.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s %s: %w", method, target, ErrUnknown)
	case response.StatusCode/100 != 2:
		return fmt.Errorf("%s %s: %s: %s", method, target, response.Status, bytes.TrimSpace(text[:min(len(text), 300)]))
	case answer == nil:
		return nil
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s %s: the answer is no JSON of the expected form: %w", method, target, err)
	}
	return nil
}
