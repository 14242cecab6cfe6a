package launch

import (
	"fmt"
	"strconv"
)

// Where the processes of vLLM meet.
const (
	rayPort = "6379"
	rpcPort = "13445"
)

// vllm: a model that is larger than a node is spread by Ray. Several of which
// each fits into a node are ranks that the leader coordinates.
func vllm(group Group, engine *call) (leader, worker edit, notes []string, err error) {
	if engine.flags.has("nnodes") || engine.flags.has("node-rank") {
		own, err := byItself(group, engine.flags, "master-addr", "node-rank")
		if err != nil || own {
			return edit{}, edit{}, nil, err
		}
	}
	sizes, err := vllmSizes(engine.flags)
	if err != nil {
		return edit{}, edit{}, nil, err
	}
	notes = sizes.notes
	switch needed := sizes.model * sizes.copies; {
	case group.GPUs == 0:
		err = fmt.Errorf("resources.limits.gpu is not set, so it is not known what fits into a node")
	case needed > group.total():
		err = fmt.Errorf("%s is %d GPUs, and %d nodes with %d each have %d", sizes, needed, group.Nodes, group.GPUs, group.total())
	case sizes.model > group.GPUs:
		leader, worker, err = ray(group, engine.flags)
	case needed > group.GPUs:
		leader, worker, err = dataParallel(group, engine.flags, sizes)
	default:
		err = fmt.Errorf("%s is %d GPUs, which fit into one node with %d: use replicas instead of multinode", sizes, needed, group.GPUs)
	}
	return leader, worker, notes, err
}

// sizes of a deployment of vLLM, in GPUs of one model, and copies of it.
type sizes struct {
	tensor, pipeline, copies int64
	model                    int64
	notes                    []string
}

func (s sizes) String() string {
	return fmt.Sprintf("tensor-parallel-size %d x pipeline-parallel-size %d x data-parallel-size %d", s.tensor, s.pipeline, s.copies)
}

func vllmSizes(given flags) (s sizes, err error) {
	for _, size := range []struct {
		into  *int64
		names []string
	}{
		{&s.tensor, []string{"tensor-parallel-size", "tp"}},
		{&s.pipeline, []string{"pipeline-parallel-size", "pp"}},
		{&s.copies, []string{"data-parallel-size", "dp"}},
	} {
		if *size.into, err = given.number(1, size.names...); err != nil {
			return s, err
		}
	}
	if given.has("config") {
		if !given.has("tensor-parallel-size", "tp") && !given.has("pipeline-parallel-size", "pp") && !given.has("data-parallel-size", "dp") {
			return s, fmt.Errorf("the sizes in the file of --config are not read: write --tensor-parallel-size, --pipeline-parallel-size or --data-parallel-size as a flag, which wins over the file")
		}
		s.notes = append(s.notes, "the file of --config is left alone: what it says of sizes and of how nodes meet is not read")
	}
	s.model = s.tensor * s.pipeline
	return s, nil
}

// ray: the workers wait for the leader's Ray. Without, they would end at once,
// and each end of a container starts the whole group anew.
func ray(group Group, given flags) (leader, worker edit, err error) {
	leader = edit{before: "ray start --head --port=" + rayPort}
	backend, said := given.find("distributed-executor-backend")
	switch {
	case !said:
		leader.flags = []string{"--distributed-executor-backend", "ray"}
	case backend.text != "ray":
		return edit{}, edit{}, fmt.Errorf("--distributed-executor-backend is %s, and only ray spreads one model over nodes: leave it out", backend.text)
	}
	address := group.Names.inShell(rayPort)
	worker = edit{instead: "until ray health-check --address " + address + " >/dev/null 2>&1; do sleep 1; done; exec ray start --address=" + address + " --block"}
	return leader, worker, nil
}

func dataParallel(group Group, given flags, s sizes) (leader, worker edit, err error) {
	local := group.GPUs / s.model
	if s.copies != local*int64(group.Nodes) {
		return edit{}, edit{}, fmt.Errorf("%s: %d nodes hold %d copies each, so --data-parallel-size must be %d", s, group.Nodes, local, local*int64(group.Nodes))
	}
	for _, name := range []string{"data-parallel-size-local", "data-parallel-start-rank", "data-parallel-rank", "data-parallel-address", "data-parallel-rpc-port"} {
		if given.has(name) {
			return edit{}, edit{}, fmt.Errorf("--%s is added for each pod: leave it out", name)
		}
	}
	from := func(rank string) edit {
		flags := []string{
			"--data-parallel-size-local", strconv.FormatInt(local, 10), "--data-parallel-start-rank", rank,
			"--data-parallel-address", group.Names.leader, "--data-parallel-rpc-port", rpcPort,
		}
		if !given.has("data-parallel-hybrid-lb") {
			flags = append([]string{"--data-parallel-hybrid-lb"}, flags...)
		}
		return edit{flags: flags}
	}
	return from("0"), from("$((" + strconv.FormatInt(local, 10) + "*" + group.Names.index + "))"), nil
}
