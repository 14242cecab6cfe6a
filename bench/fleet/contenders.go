package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/wheelhouse-dev/wheelhouse/charts"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
)

// A contender installs the platform for a list of namespaces.
type contender struct {
	name    string
	agent   string
	install func(ctx context.Context, b *bench, namespaces []string) (Run, error)
}

var contenders = []contender{
	{"floor: the same objects, 32 workers", "floor", floor},
	{"wheelhouse apply", "wheelhouse/", wheelhouse},
	{"helm, 8 at a time by xargs", "Helm", helm},
}

func floor(ctx context.Context, b *bench, namespaces []string) (Run, error) {
	file := filepath.Join(b.dir, "objects.json")
	if err := writeObjects(file, namespaces); err != nil {
		return Run{}, err
	}
	return measure(ctx, nil, nil, b.floor, b.cluster.Kubeconfig, file)
}

func wheelhouse(ctx context.Context, b *bench, namespaces []string) (Run, error) {
	file, err := b.writeFleet("fresh", namespaces, "")
	if err != nil {
		return Run{}, err
	}
	return b.wheelhouse(ctx, "apply", "--no-wait", "--yes", "-f", file)
}

// helm is what its users type for many namespaces.
func helm(ctx context.Context, b *bench, namespaces []string) (Run, error) {
	file := filepath.Join(b.dir, "namespaces")
	if err := os.WriteFile(file, []byte(strings.Join(namespaces, "\n")+"\n"), 0o600); err != nil {
		return Run{}, err
	}
	line := fmt.Sprintf("xargs -a %s -P 8 -I NS %s install dynamo-platform %s -n NS --create-namespace --set dynamo-operator.namespaceRestriction.enabled=true,nats.enabled=false", file, b.helm, b.chart)
	return measure(ctx, []string{"KUBECONFIG=" + b.cluster.Kubeconfig}, nil, "sh", "-c", line)
}

// writeObjects renders what the contenders install, one JSON object per line.
func writeObjects(file string, namespaces []string) (err error) {
	c, err := chart.OpenFS(charts.FS(), "platform")
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	encode := json.NewEncoder(out)
	for _, namespace := range namespaces {
		ns := map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": namespace}}
		if err := encode.Encode(ns); err != nil {
			return err
		}
		objects, err := platformObjects(c, namespace)
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := encode.Encode(object); err != nil {
				return err
			}
		}
	}
	return nil
}

func platformObjects(c *chart.Chart, namespace string) ([]map[string]any, error) {
	values := map[string]any{"nats": map[string]any{"enabled": false}, "dynamo-operator": map[string]any{"namespaceRestriction": map[string]any{"enabled": true}}}
	rendered, err := c.Render(chart.Release{Name: "dynamo-platform", Namespace: namespace}, values, chart.OfflineCapabilities())
	if err != nil {
		return nil, err
	}
	var objects []map[string]any
	for _, o := range rendered.Objects {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(o.Content), &object); err != nil {
			return nil, err
		}
		object["metadata"].(map[string]any)["namespace"] = namespace
		objects = append(objects, object)
	}
	return objects, nil
}
