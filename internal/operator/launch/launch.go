// Package launch makes of the command that a service runs those of the leader
// and of the workers of a group of pods. It is pure.
//
// A list of words stays one: where a shell is needed, it gets the words as its
// arguments, so that no word is quoted anew. A line for a shell is parsed, and
// only the engine's call in it is changed.
package launch

import (
	"fmt"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
)

// Command is that of a container.
type Command struct{ Command, Args []string }

// Group is the group of pods that is one replica of a service.
type Group struct {
	Nodes int32
	// GPUs of each node.
	GPUs int64
	// Names are by what its pods find each other.
	Names Names
}

func (g Group) total() int64 { return int64(g.Nodes) * g.GPUs }

// Launch is how the pods of a group are started.
type Launch struct {
	Leader, Worker Command
	// SSH: the leader starts processes in the pods of the workers, which are told
	// by the keys and in the folder of SSHKeys and SSHFolder.
	SSH bool
	// Notes are what the author should know of, such as a file that is not read.
	Notes []string
}

// For returns how to start a group in which each pod would run given alone. It
// fails where that cannot be known, or would start something else than meant.
// Without an engine all pods run given.
func For(engine v1alpha1.BackendFramework, group Group, given Command) (Launch, error) {
	plan, known := plans[engine]
	if !known {
		return Launch{Leader: given, Worker: given}, nil
	}
	call, err := find(string(engine), group.Names, given)
	if err != nil {
		return Launch{}, err
	}
	leader, worker, notes, err := plan(group, call)
	if err != nil {
		return Launch{}, fmt.Errorf("%s over %d nodes: %w", engine, group.Nodes, err)
	}
	return Launch{Leader: call.edit(leader), Worker: call.edit(worker), SSH: engine == v1alpha1.BackendFrameworkTRTLLM, Notes: notes}, nil
}

// plans say how each engine forms a group.
var plans = map[v1alpha1.BackendFramework]func(Group, *call) (leader, worker edit, notes []string, err error){
	v1alpha1.BackendFrameworkVLLM:   vllm,
	v1alpha1.BackendFrameworkSGLang: sglang,
	v1alpha1.BackendFrameworkTRTLLM: trtllm,
}
