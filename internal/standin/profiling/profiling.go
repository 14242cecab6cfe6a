// Package profiling is the stand-in for the profiler of the real runtime: in no
// time it recommends a graph that fits what it was asked for.
package profiling

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/yaml"
)

// Module is the program that it stands for.
const Module = "benchmarks.profiler.profile_sla"

// config is as much of the profiler's configuration as is understood.
type config struct {
	OutputDir  string `json:"output_dir"`
	Deployment struct {
		Model string `json:"model"`
		Image string `json:"dgd_image"`
	} `json:"deployment"`
	Engine struct {
		Backend string `json:"backend"`
		Config  string `json:"config"`
	} `json:"engine"`
	// Standin is what only the stand-in is told.
	Standin struct {
		// Fail has the profiling fail with this message.
		Fail string `json:"fail"`
	} `json:"standin"`
}

// Run profiles as the arguments after the module's name say, and writes the
// results into the directory that the configuration names.
func Run(args []string) error {
	text := ""
	for i, arg := range args {
		if value, joined := strings.CutPrefix(arg, "--profile-config="); joined {
			text = value
		} else if arg == "--profile-config" && i+1 < len(args) {
			text = args[i+1]
		}
	}
	var c config
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return fmt.Errorf("--profile-config: %w", err)
	}
	if c.Deployment.Model == "" {
		return errors.New("--profile-config needs deployment.model")
	}
	if c.Standin.Fail != "" {
		return errors.New(c.Standin.Fail)
	}
	files, err := c.recommend()
	if err != nil {
		return err
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(cmp.Or(c.OutputDir, "."), name), content, 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}

// recommend are the result files: the graph for engines, and for mocked ones.
func (c config) recommend() (map[string][]byte, error) {
	files := map[string][]byte{"profiler_status.yaml": []byte("status: success\nmessage: profiled by the stand-in\n")}
	for name, module := range map[string]string{
		"config_with_planner.yaml":        "dynamo." + cmp.Or(c.Engine.Backend, "vllm"),
		"mocker_config_with_planner.yaml": "dynamo.mocker",
	} {
		graph, err := c.graph(module)
		if err != nil {
			return nil, err
		}
		content, err := documents(c.measured(), graph)
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	return files, nil
}

// dataName is the ConfigMap that the recommended graph's workers mount.
const dataName = "standin-profile-data"

type object = map[string]any

// measured is what a planner would read.
func (c config) measured() object {
	return object{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": object{"name": dataName},
		"data": object{"profile.json": fmt.Sprintf(`{"model": %q, "measured": false}`, c.Deployment.Model)},
	}
}

// graph starts from the one that the configuration names, if it does.
func (c config) graph(module string) (object, error) {
	if c.Engine.Config != "" {
		data, err := os.ReadFile(c.Engine.Config)
		if err != nil {
			return nil, fmt.Errorf("engine.config: %w", err)
		}
		var base object
		if err := yaml.Unmarshal(data, &base); err != nil {
			return nil, fmt.Errorf("engine.config: %w", err)
		}
		return base, nil
	}
	image := cmp.Or(c.Deployment.Image, "ghcr.io/wheelhouse-dev/standin-runtime:1.0.0")
	worker := object{
		"componentType": "worker",
		"extraPodSpec": object{
			"volumes": []any{object{"name": "profile", "configMap": object{"name": dataName}}},
			"mainContainer": object{
				"image": image, "command": []any{"python3", "-m", module}, "args": []any{"--model", c.Deployment.Model},
				"volumeMounts": []any{object{"name": "profile", "mountPath": "/profile", "readOnly": true}},
			},
		},
	}
	return object{
		"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment", "metadata": object{"name": "profiled"},
		"spec": object{"services": object{
			"Frontend": object{"componentType": "frontend", "extraPodSpec": object{"mainContainer": object{"image": image}}},
			"Worker":   worker,
		}},
	}, nil
}

func documents(objects ...object) ([]byte, error) {
	var all []byte
	for i, o := range objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			return nil, fmt.Errorf("encode the results: %w", err)
		}
		if i > 0 {
			all = append(all, "---\n"...)
		}
		all = append(all, text...)
	}
	return all, nil
}
