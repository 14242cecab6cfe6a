package serving

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// The command lines that the platform's users write, after the shell has read
// them, with what the platform adds to the environment.
func TestParsePython(t *testing.T) {
	worker := map[string]string{
		"DYN_COMPONENT": "worker", "DYN_NAMESPACE": "ns-g", "DYN_DISCOVERY_BACKEND": "kubernetes",
		"DYN_SYSTEM_ENABLED": "true", "DYN_SYSTEM_PORT": "9090", "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": `["generate"]`,
	}
	frontend := map[string]string{"DYN_COMPONENT": "frontend", "DYN_NAMESPACE": "ns-g", "DYN_DISCOVERY_BACKEND": "kubernetes", "DYN_HTTP_PORT": "8000"}
	base := Config{
		Namespace: "ns-g", Component: "backend", Endpoint: "generate", Discovery: "kubernetes",
		HTTPPort: 8000, MetricsPort: 9085, RPCPort: 8888, SystemPort: 9090, RouterMode: "round-robin",
	}
	wants := func(change func(*Config)) Config {
		c := base
		change(&c)
		if c.Role == RoleWorker {
			c.HealthEndpoints = []string{"generate"}
		}
		if c.Role == RoleFrontend {
			c.SystemPort = -1
		}
		return c
	}
	mockerFlags := []string{"planner-profile-data", "speedup-ratio"}
	for name, c := range map[string]struct {
		args []string
		env  map[string]string
		want Config
	}{
		"default frontend": {
			args: []string{"-m", "dynamo.frontend"}, env: frontend,
			want: wants(func(c *Config) { c.Role, c.Program = RoleFrontend, "dynamo.frontend" }),
		},
		"frontend with port": {
			args: []string{"-m", "dynamo.frontend", "--router-mode", "round-robin", "--http-port", "8001"}, env: frontend,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.HTTPPort = RoleFrontend, "dynamo.frontend", 8001
			}),
		},
		"frontend kv": {
			args: []string{"-m", "dynamo.frontend", "--router-mode", "kv", "--no-kv-events"}, env: frontend,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.RouterMode = RoleFrontend, "dynamo.frontend", "kv"
			}),
		},
		"frontend of another namespace": {
			args: []string{"-m", "dynamo.frontend", "--router-reset-states", "--namespace=pool"}, env: frontend,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Namespace = RoleFrontend, "dynamo.frontend", "pool"
				c.Ignored = []string{"router-reset-states"}
			}),
		},
		"custom frontend": {
			args: []string{"client.py"}, env: frontend,
			want: wants(func(c *Config) { c.Role, c.Program = RoleFrontend, "client.py" }),
		},
		"custom worker": {
			args: []string{"-u", "hello_world.py"}, env: worker,
			want: wants(func(c *Config) { c.Role, c.Program, c.Model = RoleWorker, "hello_world.py", "hello_world" }),
		},
		"vllm": {
			args: []string{"-m", "dynamo.vllm", "--model", "Qwen/Qwen3-0.6B", "--kv-events-config", `{"enable_kv_cache_events": false}`}, env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B"
			}),
		},
		"vllm recipe": {
			args: strings.Fields("-m dynamo.vllm --model path --served-model-name RedHatAI/Llama --tensor-parallel-size 4 --data-parallel-size 1 --gpu-memory-utilization 0.90 --no-enable-prefix-caching --block-size 128"),
			env:  worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "RedHatAI/Llama"
				c.Ignored = []string{"block-size", "data-parallel-size", "gpu-memory-utilization", "tensor-parallel-size"}
			}),
		},
		"vllm JSON flag": {
			args: []string{"-m", "dynamo.vllm", "--model", "Qwen/Qwen3-32B", "--disable-log-requests", "--async-scheduling", "--hf-overrides", `{"rope_scaling":{"factor":4.0}}`, "--max-model-len", "131072"}, env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-32B"
				c.Ignored = []string{"async-scheduling", "disable-log-requests", "hf-overrides", "max-model-len"}
			}),
		},
		"vllm prefill": {
			args: []string{"-m", "dynamo.vllm", "--model", "Qwen/Qwen3-0.6B", "--is-prefill-worker", "--tensor-parallel-size", "2"}, env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Prefill, c.Component = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B", true, "prefill"
				c.Ignored = []string{"tensor-parallel-size"}
			}),
		},
		"vllm decode": {
			args: []string{"-m", "dynamo.vllm", "--model", "Qwen/Qwen3-0.6B", "--is-decode-worker"}, env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B"
			}),
		},
		"vllm with LoRA": {
			args: []string{"-m", "dynamo.vllm", "--model", "Qwen/Qwen3-0.6B", "--connector", "none", "--enable-lora", "--max-lora-rank", "64", "--enforce-eager"},
			env:  merge(worker, map[string]string{"DYN_LORA_ENABLED": "true"}),
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.LoRA = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B", true
				c.Ignored = []string{"connector", "enable-lora", "enforce-eager", "max-lora-rank"}
			}),
		},
		"sglang disaggregated": {
			args: strings.Fields("-m dynamo.sglang --model-path Qwen/Qwen3-0.6B --served-model-name Q --page-size 16 --tp 1 --trust-remote-code --skip-tokenizer-init --disaggregation-mode prefill --disaggregation-transfer-backend nixl --disaggregation-bootstrap-port 12345 --host 0.0.0.0 --mem-fraction-static 0.82"),
			env:  worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Prefill, c.Component = RoleWorker, "dynamo.sglang", "Q", true, "prefill"
				c.Ignored = []string{"disaggregation-bootstrap-port", "disaggregation-transfer-backend", "host", "mem-fraction-static", "page-size", "skip-tokenizer-init", "tp", "trust-remote-code"}
			}),
		},
		"sglang decode": {
			args: strings.Fields("-m dynamo.sglang --model-path Qwen/Qwen3-0.6B --disaggregation-mode decode -tp 8"), env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.sglang", "Qwen/Qwen3-0.6B"
				c.Ignored = []string{"tp"}
			}),
		},
		"trtllm of type main": {
			args: strings.Fields("-m dynamo.trtllm --model-path openai/gpt-oss-120b --served-model-name openai/gpt-oss-120b --extra-engine-args /x --tensor-parallel-size 4 --expert-parallel-size 4 --max-batch-size 800 --free-gpu-memory-fraction 0.9"),
			env:  map[string]string{"DYN_COMPONENT": "main", "DYN_NAMESPACE": "ns-g", "DYN_DISCOVERY_BACKEND": "kubernetes", "DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": `["generate"]`},
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Component, c.SystemPort = RoleWorker, "dynamo.trtllm", "openai/gpt-oss-120b", "tensorrt_llm", -1
				c.Ignored = []string{"expert-parallel-size", "extra-engine-args", "free-gpu-memory-fraction", "max-batch-size", "tensor-parallel-size"}
			}),
		},
		"trtllm disaggregated": {
			args: strings.Fields("-m dynamo.trtllm --model-path Q --extra-engine-args ./p.yaml --disaggregation-mode prefill"), env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Prefill, c.Component = RoleWorker, "dynamo.trtllm", "Q", true, "prefill"
				c.Ignored = []string{"extra-engine-args"}
			}),
		},
		"mocker": {
			args: strings.Fields("-m dynamo.mocker --model-path nvidia/L --model-name nvidia/L --speedup-ratio 1.0 --planner-profile-data /w/p"), env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Ignored = RoleWorker, "dynamo.mocker", "nvidia/L", mockerFlags
			}),
		},
		"mocker prefill": {
			args: strings.Fields("-m dynamo.mocker --model-path nvidia/L --speedup-ratio 1.0 --planner-profile-data /w/p --is-prefill-worker"), env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model, c.Ignored = RoleWorker, "dynamo.mocker", "nvidia/L", mockerFlags
				c.Prefill, c.Component = true, "prefill"
			}),
		},
		"planner": {
			args: strings.Fields("-m planner_sla --environment=kubernetes --backend=vllm --adjustment-interval=60 --profile-results-dir=/w/p"),
			env:  map[string]string{"DYN_COMPONENT": "planner", "DYN_NAMESPACE": "ns-g", "DYN_DISCOVERY_BACKEND": "kubernetes", "PLANNER_PROMETHEUS_PORT": "9086"},
			want: wants(func(c *Config) {
				c.Role, c.Program, c.MetricsPort, c.SystemPort = RolePlanner, "planner_sla", 9086, -1
				c.Ignored = []string{"adjustment-interval", "backend", "environment", "profile-results-dir"}
			}),
		},
		"endpoint address": {
			args: []string{"-m", "dynamo.vllm", "--endpoint", "dyn://pool.encoder.encode"}, env: worker,
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B"
				c.Namespace, c.Component, c.Endpoint = "pool", "encoder", "encode"
			}),
		},
		"stand-in's own settings": {
			args: []string{"-m", "dynamo.vllm", "--standin-heap-mb", "64"},
			env:  merge(worker, map[string]string{"STANDIN_STARTUP_DELAY": "1.5", "STANDIN_HEAP_MB": "8", "DYN_SYSTEM_ENABLED": "false"}),
			want: wants(func(c *Config) {
				c.Role, c.Program, c.Model = RoleWorker, "dynamo.vllm", "Qwen/Qwen3-0.6B"
				c.HeapMB, c.StartupDelay, c.SystemPort = 64, 1500*time.Millisecond, -1
			}),
		},
		"an unknown module of an unknown type": {
			args: []string{"-m", "dynamo.global_router"}, env: map[string]string{"DYN_NAMESPACE": "ns-g", "DYN_DISCOVERY_BACKEND": "kubernetes"},
			want: wants(func(c *Config) {
				c.Role, c.Program, c.SystemPort = RoleIdle, "dynamo.global_router", -1
			}),
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParsePython(c.args, func(name string) string { return c.env[name] })
			if err != nil {
				t.Fatal(err)
			}
			// These have tests of their own.
			got.NATSFor, got.NATSServer, got.Generation, got.Scope = "", "", "", discovery.Scope{}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestGenerationsHaveNamespacesOfTheirOwn(t *testing.T) {
	generations := map[string]string{
		"DYN_NAMESPACE": "ns-g", "DYN_NAMESPACE_PREFIX": "ns-g", "DYN_NAMESPACE_PREFIX_STRICT": "true", "DYN_NAMESPACE_WORKER_SUFFIX": "1a2b3c4d",
	}
	for name, c := range map[string]struct {
		args                  []string
		env                   map[string]string
		namespace, generation string
		scope                 discovery.Scope
	}{
		"a frontend": {
			[]string{"-m", "dynamo.frontend"}, generations, "ns-g", "ns-g", discovery.Scope{Namespace: "ns-g", Prefix: true, Strict: true},
		},
		"a frontend without generations": {
			[]string{"-m", "dynamo.frontend"}, map[string]string{"DYN_NAMESPACE": "ns-g"}, "ns-g", "ns-g", discovery.Scope{Namespace: "ns-g"},
		},
		"a worker": {
			[]string{"-m", "dynamo.vllm"}, map[string]string{"DYN_NAMESPACE": "ns-g", "DYN_NAMESPACE_WORKER_SUFFIX": "1a2b3c4d"},
			"ns-g-1a2b3c4d", "ns-g-1a2b3c4d", discovery.Scope{Namespace: "ns-g"},
		},
		"a worker that is told its generation": {
			[]string{"-m", "dynamo.vllm"}, map[string]string{"DYN_NAMESPACE": "ns-g", "STANDIN_GENERATION": "two"}, "ns-g", "two", discovery.Scope{Namespace: "ns-g"},
		},
	} {
		got, err := ParsePython(c.args, func(name string) string { return c.env[name] })
		if err != nil {
			t.Fatal(err)
		}
		if got.Namespace != c.namespace || got.Generation != c.generation || got.Scope != c.scope {
			t.Errorf("%s: %q, %q, %+v", name, got.Namespace, got.Generation, got.Scope)
		}
	}
}

func merge(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestParsePythonRefuses(t *testing.T) {
	for want, c := range map[string]struct {
		args []string
		env  map[string]string
	}{
		"DYN_HTTP_PORT=web":                     {args: []string{"-m", "dynamo.frontend"}, env: map[string]string{"DYN_HTTP_PORT": "web"}},
		"not a port":                            {args: []string{"-m", "dynamo.frontend", "--http-port", "70000"}},
		`"least" is not known`:                  {args: []string{"-m", "dynamo.frontend", "--router-mode", "least"}},
		"no module named pip":                   {args: []string{"-m", "pip", "install"}},
		"not Python code":                       {args: []string{"-c", "print(1)"}},
		"needs -m":                              {},
		"dyn://NAMESPACE":                       {args: []string{"-m", "dynamo.vllm", "--endpoint", "x"}},
		"DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": {args: []string{"-m", "dynamo.vllm"}, env: map[string]string{"DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS": "generate"}},
		"STANDIN_HEAP_MB=-1":                    {args: []string{"-m", "dynamo.vllm"}, env: map[string]string{"STANDIN_HEAP_MB": "-1"}},
	} {
		_, err := ParsePython(c.args, func(name string) string { return c.env[name] })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got error %v, want one with %q", c.args, err, want)
		}
	}
}
