// Package serving is what the stand-in runtime does once it has been launched: a
// frontend that speaks the OpenAI API, a worker that answers with its own name,
// or a planner that scales as it is told.
package serving

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/discovery"
)

// Role is what a process of the runtime does in a graph.
type Role string

// The roles. An idle process only waits for its end.
const (
	RoleFrontend Role = "frontend"
	RoleWorker   Role = "worker"
	RolePlanner  Role = "planner"
	RoleIdle     Role = "idle"
)

// Config is a launch of the real runtime, as the stand-in understands it.
type Config struct {
	Role    Role
	Program string // the module or script that was launched, such as dynamo.vllm

	Namespace string // logical namespace; default "dynamo"
	// Scope is where a frontend looks for workers.
	Scope     discovery.Scope
	Component string // default backend, tensorrt_llm for TRT-LLM, prefill for prefill workers
	Endpoint  string // default generate
	Discovery string // DYN_DISCOVERY_BACKEND

	NATSFor    string // what the program connects to NATS for when it starts; empty: it does not
	NATSServer string // NATS_SERVER, default nats://localhost:4222

	HTTPPort    int    // frontend; default 8000
	MetricsPort int    // planner; default 9085
	RPCPort     int    // worker, called by frontends; default 8888
	SystemPort  int    // worker, for probes; default 9090; -1 when switched off
	RouterMode  string // of the real frontend's; default round-robin

	Model           string // worker; default as the real program's, or the script's name
	Prefill         bool
	Generation      string // which a worker tells in its answers; default Namespace
	LoRA            bool
	HealthEndpoints []string      // endpoints that decide /health
	StartupDelay    time.Duration // as if a model were loaded
	HeapMB          int           // MiB of random memory to hold

	Group Group // of the engine's pods

	Checkpoint Checkpoint // worker

	Ignored []string // flags that the stand-in accepts and does nothing with
}

// modules are the programs with a role of their own. Every other one does what
// its component type (DYN_COMPONENT) says.
var modules = map[string]struct {
	role      Role
	component string
	model     string // default of the real program, if it has one
}{
	"dynamo.frontend":            {role: RoleFrontend},
	"dynamo.vllm":                {role: RoleWorker, component: "backend", model: "Qwen/Qwen3-0.6B"},
	"dynamo.sglang":              {role: RoleWorker, component: "backend"},
	"dynamo.trtllm":              {role: RoleWorker, component: "tensorrt_llm", model: "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
	"dynamo.mocker":              {role: RoleWorker, component: "backend"},
	"dynamo.planner":             {role: RolePlanner},
	"dynamo.planner.planner_sla": {role: RolePlanner},
	"planner_sla":                {role: RolePlanner},
}

// componentRoles maps DYN_COMPONENT, the platform's component type, to a role.
var componentRoles = map[string]Role{
	"frontend": RoleFrontend,
	"worker":   RoleWorker,
	"prefill":  RoleWorker,
	"decode":   RoleWorker,
	"planner":  RolePlanner,
}

var endpointAddress = regexp.MustCompile(`^(?:dyn://)?([\w-]+)\.([\w-]+)\.([\w-]+)$`)

// ParsePython understands the arguments of `python3`: -m MODULE or a script
// file, with the flags of the real runtime. Flags without a meaning here are
// accepted and listed in Ignored.
func ParsePython(args []string, getenv func(string) string) (Config, error) {
	program, rest, err := splitPython(args)
	if err != nil {
		return Config{}, err
	}
	c := Config{Program: program}
	known := modules[program]
	component := getenv("DYN_COMPONENT")
	c.Role = cmp.Or(known.role, componentRoles[component])
	if c.Role == "" && !strings.HasPrefix(program, "dynamo.") && !strings.HasSuffix(program, ".py") {
		return c, fmt.Errorf("no module named %s: the stand-in runtime knows dynamo.* modules and, with DYN_COMPONENT set, any script", program)
	}
	c.Role = cmp.Or(c.Role, RoleIdle)

	f := parseFlags(rest)
	s := settings{getenv: getenv, flags: f}
	c.Prefill = f.has("is-prefill-worker") || component == "prefill" ||
		f.value("disaggregation-mode", "disaggregation-strategy") == "prefill"
	c.Namespace = cmp.Or(f.value("namespace"), getenv("DYN_NAMESPACE"), discovery.GlobalNamespace)
	c.Component = cmp.Or(known.component, "backend")
	if c.Prefill {
		c.Component = "prefill"
	}
	c.Endpoint = "generate"
	s.scope(&c)
	s.endpoint(&c)
	c.Generation = cmp.Or(getenv("STANDIN_GENERATION"), c.Namespace)
	c.Discovery = getenv("DYN_DISCOVERY_BACKEND")
	if c.Role == RoleWorker {
		c.Model = cmp.Or(f.value("served-model-name", "model-name", "model", "model-path"), known.model, scriptName(program))
	}
	c.RouterMode = s.routerMode()
	c.NATSFor = s.natsFor(program)
	c.NATSServer = cmp.Or(getenv("NATS_SERVER"), nats.DefaultURL)
	c.HTTPPort = s.port("DYN_HTTP_PORT", 8000, "http-port", "port")
	c.MetricsPort = s.port("PLANNER_PROMETHEUS_PORT", 9085)
	c.RPCPort = s.port("DYN_HTTP_RPC_PORT", 8888)
	c.SystemPort = s.systemPort()
	c.LoRA = isTrue(getenv("DYN_LORA_ENABLED"))
	c.HealthEndpoints = s.healthEndpoints()
	c.StartupDelay = time.Duration(s.number("STANDIN_STARTUP_DELAY", 0) * float64(time.Second))
	c.HeapMB = int(s.number("STANDIN_HEAP_MB", 0, "standin-heap-mb"))
	if c.Role == RoleWorker {
		c.Group = s.group()
		c.Checkpoint = s.checkpoint()
	}
	c.Ignored = f.unused()
	return c, s.err
}

// splitPython separates the interpreter's own options, the program and its arguments.
func splitPython(args []string) (program string, rest []string, err error) {
	for i, arg := range args {
		switch {
		case arg == "-m" && i+1 < len(args):
			return args[i+1], args[i+2:], nil
		case arg == "-c" || arg == "-m" || arg == "-":
			return "", nil, fmt.Errorf("python3 %s: the stand-in runtime runs modules (-m) and script files, not Python code", arg)
		case !strings.HasPrefix(arg, "-"):
			return arg, args[i+1:], nil
		}
	}
	return "", nil, fmt.Errorf("python3: the stand-in runtime needs -m MODULE or a script file")
}

// scriptName is hello_world for /workspace/hello_world.py.
func scriptName(program string) string {
	return strings.TrimSuffix(filepath.Base(program), ".py")
}

// settings reads flags and environment variables and keeps the first error.
type settings struct {
	getenv func(string) string
	flags  flags
	err    error
}

func (s *settings) number(variable string, fallback float64, flagNames ...string) float64 {
	source, text := variable, s.getenv(variable)
	if value := s.flags.value(flagNames...); value != "" {
		source, text = "--"+flagNames[0], value
	}
	if text == "" {
		return fallback
	}
	n, err := strconv.ParseFloat(text, 64)
	if (err != nil || n < 0) && s.err == nil {
		s.err = fmt.Errorf("%s=%s is not a number of at least 0", source, text)
	}
	return n
}

func (s *settings) port(variable string, fallback int, flagNames ...string) int {
	n := s.number(variable, float64(fallback), flagNames...)
	if (n > 65535 || n != float64(int(n))) && s.err == nil {
		s.err = fmt.Errorf("%s=%v is not a port number", variable, n)
	}
	return int(n)
}

// systemPort: the system server runs when DYN_SYSTEM_ENABLED says so, or when it
// says nothing and a port is given.
func (s *settings) systemPort() int {
	enabled, port := s.getenv("DYN_SYSTEM_ENABLED"), s.getenv("DYN_SYSTEM_PORT")
	if port == "-1" || (enabled == "" && port == "") || (enabled != "" && !isTrue(enabled)) {
		return -1
	}
	return s.port("DYN_SYSTEM_PORT", 9090)
}

// routerModes are those of the real frontend, and what the stand-in does for each:
// its workers have no load to compare.
var routerModes = map[string]string{
	"round-robin": "round-robin", "random": "random", "kv": "kv", "direct": "direct",
	"power-of-two": "random", "least-loaded": "round-robin", "device-aware-weighted": "round-robin",
}

func (s *settings) routerMode() string {
	asked := strings.ReplaceAll(cmp.Or(s.flags.value("router-mode"), s.getenv("DYN_ROUTER_MODE"), "round-robin"), "_", "-")
	mode, known := routerModes[asked]
	if !known && s.err == nil {
		s.err = fmt.Errorf("router mode %q is not known: the stand-in runtime has %s", asked, strings.Join(slices.Sorted(maps.Keys(routerModes)), ", "))
	}
	return mode
}

// scope: workers of a graph's generation have a namespace of their own, and
// frontends look into those of all.
func (s *settings) scope(c *Config) {
	c.Scope = discovery.Scope{Namespace: c.Namespace}
	if prefix := cmp.Or(s.flags.value("namespace-prefix"), s.getenv("DYN_NAMESPACE_PREFIX")); prefix != "" {
		c.Scope = discovery.Scope{Namespace: prefix, Prefix: true, Strict: isTrue(s.getenv("DYN_NAMESPACE_PREFIX_STRICT"))}
	}
	if suffix := s.getenv("DYN_NAMESPACE_WORKER_SUFFIX"); suffix != "" && c.Role == RoleWorker {
		c.Namespace += "-" + suffix
	}
}

// endpoint takes over --endpoint dyn://NAMESPACE.COMPONENT.ENDPOINT.
func (s *settings) endpoint(c *Config) {
	address := s.flags.value("endpoint")
	if address == "" || c.Role != RoleWorker {
		return
	}
	parts := endpointAddress.FindStringSubmatch(address)
	if parts == nil {
		s.err = fmt.Errorf("--endpoint %s is not of the form dyn://NAMESPACE.COMPONENT.ENDPOINT", address)
		return
	}
	c.Namespace, c.Component, c.Endpoint = parts[1], parts[2], parts[3]
}

func (s *settings) healthEndpoints() []string {
	text := s.getenv("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS")
	var names []string
	if text != "" && json.Unmarshal([]byte(text), &names) != nil && s.err == nil {
		s.err = fmt.Errorf("DYN_SYSTEM_USE_ENDPOINT_HEALTH_STATUS=%s is not a JSON list of names", text)
	}
	return names
}

func isTrue(text string) bool {
	return slices.Contains([]string{"1", "true", "yes", "on"}, strings.ToLower(text))
}
