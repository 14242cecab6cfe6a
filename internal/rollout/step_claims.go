package rollout

import (
	"context"
)

// claimsKind deletes the volume claims that a release left behind, and their data.
type claimsKind struct{ unseen }

func (claimsKind) needs(s *Step, _ bool) []Need {
	return []Need{{Verbs: []string{"delete"}, Resource: claims, Namespace: s.Namespace, For: s.ID}}
}

func (claimsKind) do(ctx context.Context, s Step, e *execution, _ func(string)) (done, error) {
	return done{}, e.cluster.DeleteClaims(ctx, s.Namespace, s.Names)
}
