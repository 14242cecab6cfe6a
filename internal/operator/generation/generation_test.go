package generation_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/generation"
)

type (
	counts   = map[string]generation.Count
	replicas = map[string]map[string]int32
)

// ready are n replicas that are all there and ready.
func ready(n int32) generation.Count { return generation.Count{Spec: n, Present: n, Ready: n} }

// starting are n replicas of which none is ready.
func starting(n int32) generation.Count { return generation.Count{Spec: n, Present: n} }

func pair(prefill, decode generation.Count) counts {
	return counts{"prefill": prefill, "decode": decode}
}

func of(hash string, roles counts) generation.Generation {
	return generation.Generation{Hash: hash, Roles: roles}
}

func TestNext(t *testing.T) {
	// One of each, with the default shares of 25%.
	single := map[string]generation.Role{"prefill": {Desired: 1, Surge: 1}, "decode": {Desired: 1, Surge: 1}}
	four := map[string]generation.Role{"prefill": {Desired: 4, Surge: 1, Unavailable: 1}, "decode": {Desired: 4, Surge: 1, Unavailable: 1}}
	noRoom := map[string]generation.Role{"prefill": {Desired: 1, Unavailable: 1}, "decode": {Desired: 2, Unavailable: 1}}
	both := func(n int32) map[string]int32 { return map[string]int32{"prefill": n, "decode": n} }

	for name, tc := range map[string]struct {
		change generation.Change
		there  []generation.Generation
		want   replicas
	}{
		"a new graph": {generation.Change{Wanted: "b", Roles: single}, nil, replicas{"b": both(1)}},
		"nothing changes": {generation.Change{Wanted: "a", Roles: single},
			[]generation.Generation{of("a", pair(ready(1), ready(1)))}, replicas{"a": both(1)}},
		"a new one forms beside": {generation.Change{Wanted: "b", Roles: single},
			[]generation.Generation{of("a", pair(ready(1), ready(1)))}, replicas{"a": both(1), "b": both(1)}},
		"beside one from before generations": {generation.Change{Wanted: "b", Roles: single},
			[]generation.Generation{of("", pair(ready(1), ready(1)))}, replicas{"": both(1), "b": both(1)}},
		"half a new one replaces nothing": {generation.Change{Wanted: "b", Roles: single, Seen: true},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(starting(1), ready(1)))}, replicas{"a": both(1), "b": both(1)}},
		"what frontends do not see replaces nothing": {generation.Change{Wanted: "b", Roles: single},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(ready(1), ready(1)))}, replicas{"a": both(1), "b": both(1)}},
		"the old leaves": {generation.Change{Wanted: "b", Roles: single, Seen: true},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(ready(1), ready(1)))}, replicas{"b": both(1)}},
		"a revert keeps what serves": {generation.Change{Wanted: "a", Roles: single, Seen: true},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(starting(1), ready(1)))}, replicas{"a": both(1)}},
		"a revert late in the change grows again": {generation.Change{Wanted: "a", Roles: four},
			[]generation.Generation{of("a", pair(ready(2), ready(1))), of("b", pair(ready(3), ready(4)))},
			replicas{"a": {"prefill": 2, "decode": 1}, "b": {"prefill": 1, "decode": 2}}},
		"what never served is dropped for a third": {generation.Change{Wanted: "c", Roles: single},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(starting(1), starting(1)))}, replicas{"a": both(1), "c": both(1)}},
		"two that serve make room for a third together": {generation.Change{Wanted: "c", Roles: four},
			[]generation.Generation{of("a", pair(ready(2), ready(2))), of("b", pair(ready(2), ready(2)))},
			replicas{"a": both(2), "b": both(1), "c": both(1)}},
		"in steps of the shares": {generation.Change{Wanted: "b", Roles: four},
			[]generation.Generation{of("a", pair(ready(4), ready(4)))}, replicas{"a": both(3), "b": both(1)}},
		"one stays until all are complete": {generation.Change{Wanted: "b", Roles: four, Seen: true},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(ready(4), starting(3)))},
			replicas{"a": {"prefill": 1, "decode": 1}, "b": {"prefill": 4, "decode": 4}}},
		"without room the last one makes it": {generation.Change{Wanted: "b", Roles: noRoom},
			[]generation.Generation{of("a", pair(ready(1), ready(2)))}, replicas{"a": {"prefill": 0, "decode": 1}, "b": both(0)}},
		"and the new one takes it": {generation.Change{Wanted: "b", Roles: noRoom},
			[]generation.Generation{of("a", pair(generation.Count{}, ready(1)))}, replicas{"a": {"prefill": 0, "decode": 1}, "b": both(1)}},
		"recreate ends the old first": {generation.Change{Wanted: "b", Roles: single, Recreate: true},
			[]generation.Generation{of("a", pair(ready(1), ready(1)))}, replicas{"a": both(0), "b": both(0)}},
		"recreate waits for the last": {generation.Change{Wanted: "b", Roles: single, Recreate: true},
			[]generation.Generation{of("a", pair(generation.Count{}, generation.Count{Present: 1})), of("b", pair(generation.Count{}, generation.Count{}))},
			replicas{"a": both(0), "b": both(0)}},
		"recreate begins the new": {generation.Change{Wanted: "b", Roles: single, Recreate: true},
			[]generation.Generation{of("a", pair(generation.Count{}, generation.Count{}))}, replicas{"b": both(1)}},
		"nothing is desired": {generation.Change{Wanted: "b", Roles: map[string]generation.Role{"prefill": {Surge: 1}, "decode": {Surge: 1}}},
			[]generation.Generation{of("a", pair(ready(1), ready(1)))}, replicas{"a": both(0), "b": both(0)}},
		"scaled up in the middle": {generation.Change{Wanted: "b", Roles: four},
			[]generation.Generation{of("a", pair(ready(1), ready(1))), of("b", pair(ready(1), ready(1)))}, replicas{"a": both(1), "b": both(4)}},
		"a role that the new spec does not have stays as long as its generation": {generation.Change{Wanted: "b", Roles: map[string]generation.Role{"decode": {Desired: 1, Surge: 1}}},
			[]generation.Generation{of("a", pair(ready(2), ready(1)))}, replicas{"a": {"prefill": 2, "decode": 1}, "b": {"decode": 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, tc.change.Next(tc.there)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestEachChangeEnds plays random changes to their end, with pods that become
// ready one by one: never are fewer available or more there than the shares allow.
func TestEachChangeEnds(t *testing.T) {
	for seed := range uint64(500) {
		random := rand.New(rand.NewPCG(seed, 0))
		change := generation.Change{Wanted: "b", Seen: true, Roles: map[string]generation.Role{}}
		old, fresh := of("a", counts{}), of("b", counts{})
		for i := range 1 + random.IntN(3) {
			role := generation.Role{Desired: 1 + random.Int32N(6), Surge: random.Int32N(3), Unavailable: random.Int32N(3)}
			if role.Surge == 0 {
				role.Unavailable = max(role.Unavailable, 1)
			}
			name := fmt.Sprint("role", i)
			change.Roles[name], old.Roles[name], fresh.Roles[name] = role, ready(role.Desired), generation.Count{}
		}
		steps := 0
		for ; steps < 200; steps++ {
			next := change.Next([]generation.Generation{old, fresh})
			if _, kept := next["a"]; !kept {
				break
			}
			for name, role := range change.Roles {
				before, after := next["a"][name], next["b"][name]
				if before+after > role.Desired+role.Surge && before == old.Roles[name].Spec {
					t.Fatalf("seed %d: %d and %d of %s, with %+v", seed, before, after, name, role)
				}
				if available := before + fresh.Roles[name].Ready; available < role.Desired-role.Unavailable {
					t.Fatalf("seed %d: %d of %s available, with %+v", seed, available, name, role)
				}
				old.Roles[name] = ready(before)
				now := fresh.Roles[name].Ready
				if now < after && random.IntN(2) == 0 {
					now++
				}
				fresh.Roles[name] = generation.Count{Spec: after, Present: after, Ready: now}
			}
		}
		if steps == 200 {
			t.Fatalf("seed %d: %+v never ends: %+v beside %+v", seed, change.Roles, old, fresh)
		}
	}
}
