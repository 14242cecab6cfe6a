package serving

import (
	"context"
	"log/slog"
	"regexp"
	"strconv"
	"time"

	"github.com/wheelhouse-dev/wheelhouse/internal/standin/rendezvous"
)

// Group is the group of processes that one engine runs in; the zero value is
// none.
type Group struct {
	// Size is the number of processes that say a rank: one in each pod, or as many as
	// mpirun starts.
	Size int
	Rank int
	// Address is where the leader hears the others, as host:port.
	Address string
	// Ray: a program of its own, which runs beside the leader, hears them.
	Ray bool
}

func (g Group) leads() bool   { return g.Size > 1 && g.Rank == 0 }
func (g Group) follows() bool { return g.Size > 1 && g.Rank > 0 }

// mpiPort is where rank 0 of those that mpirun has started hears the others.
const mpiPort = "29600"

// mpirunAddress is the host, and the port, in what mpirun tells its ranks of itself,
// such as 7.0;tcp://10.0.0.1,10.0.0.2:1234;tcp6://[::1]:1235.
var mpirunAddress = regexp.MustCompile(`tcp://([^,:;]+)|tcp6://(\[[^\]]+\])`)

// group reads by which flags the engine was told of its group, or, of mpirun, by
// which variables.
func (s *settings) group() Group {
	if ranks := int(s.number("OMPI_COMM_WORLD_SIZE", 1)); ranks > 1 {
		group := Group{Size: ranks, Rank: int(s.number("OMPI_COMM_WORLD_RANK", 0))}
		if host := mpirunAddress.FindStringSubmatch(s.getenv("OMPI_MCA_orte_hnp_uri")); host != nil {
			group.Address = host[1] + host[2] + ":" + mpiPort
		}
		return group
	}
	size := int(s.number("LWS_GROUP_SIZE", 1))
	rank := func(flag string, each float64) int { return int(s.number("", 0, flag) / max(each, 1)) }
	switch {
	case s.flags.value("dist-init-addr") != "":
		return Group{Size: int(s.number("", float64(size), "nnodes")), Rank: rank("node-rank", 1), Address: s.flags.value("dist-init-addr")}
	case s.flags.value("data-parallel-address") != "":
		address := s.flags.value("data-parallel-address") + ":" + s.flags.value("data-parallel-rpc-port")
		return Group{Size: size, Rank: rank("data-parallel-start-rank", s.number("", 1, "data-parallel-size-local")), Address: address}
	case s.flags.value("distributed-executor-backend") == "ray" && size > 1:
		return Group{Size: size, Address: "127.0.0.1:6379", Ray: true}
	}
	return Group{}
}

// meeting hears the members of a group that this process leads.
type meeting struct {
	group Group
	local rendezvous.Meeting
}

// complete tells whether all others are heard.
func (m *meeting) complete(ctx context.Context) bool {
	if !m.group.leads() {
		return true
	}
	members := m.local.Members()
	if m.group.Ray {
		members, _ = rendezvous.Members(ctx, m.group.Address)
	}
	return members >= m.group.Size-1
}

// form waits until the group is complete, or until ctx ends.
func (m *meeting) form(ctx context.Context, log *slog.Logger) {
	if !m.group.leads() {
		return
	}
	log.Info("waiting for the group", "size", m.group.Size, "address", m.group.Address)
	for !m.complete(ctx) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
	log.Info("the group is complete", "size", m.group.Size)
}

// follow is what a member of a group does that does not lead it.
func follow(ctx context.Context, group Group, log *slog.Logger) error {
	log.Info("joining the group", "rank", group.Rank, "leader", group.Address)
	return rendezvous.Join(ctx, group.Address, strconv.Itoa(group.Rank))
}
