package launch

import (
	"fmt"
	"strconv"
)

// sglang: the processes meet at the leader, as those of torch do.
func sglang(group Group, engine *call) (leader, worker edit, notes []string, err error) {
	own, err := byItself(group, engine.flags, "dist-init-addr", "node-rank")
	if err != nil || own {
		return edit{}, edit{}, nil, err
	}
	rank := func(rank string) edit {
		return edit{flags: []string{
			"--dist-init-addr", group.Names.leader + ":29500", "--nnodes", strconv.Itoa(int(group.Nodes)), "--node-rank", rank,
		}}
	}
	return rank("0"), rank(group.Names.rank), nil, nil
}

// byItself tells whether a command says itself how its pods meet, by these
// flags. It is then left alone, if that is the whole of it.
func byItself(group Group, given flags, address, rank string) (bool, error) {
	hasAddress, hasRank := given.has(address), given.has(rank)
	nodes, err := given.number(int64(group.Nodes), "nnodes")
	switch {
	case given.has("nnodes") && err != nil:
		return false, err
	case given.has("nnodes") && nodes != int64(group.Nodes):
		return false, fmt.Errorf("--nnodes is %d, and multinode.nodeCount %d: leave --nnodes out", nodes, group.Nodes)
	case !hasAddress && !hasRank && !given.has("nnodes"):
		return false, nil
	case hasAddress && hasRank && given.ofEachPod(rank, group.Names):
		return true, nil
	}
	return false, fmt.Errorf("--%s, --%s and --nnodes are added for each pod: leave them out, or give all of them, with %s as the rank", address, rank, group.Names.rank)
}
