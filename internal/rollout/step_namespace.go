package rollout

import (
	"context"
)

// namespaceKind creates or deletes a namespace.
type namespaceKind struct{ unseen }

func (namespaceKind) needs(s *Step, _ bool) []Need {
	if s.Action == ActionCreate {
		return []Need{{Verbs: []string{"create"}, Resource: "namespaces", For: s.ID}}
	}
	return []Need{
		{Verbs: deleteVerbs, Resource: "namespaces", For: s.ID},
		{Verbs: []string{"list"}, Group: Everything, Resource: Everything, Namespace: s.Namespace, For: "whether " + s.ID + " is empty"},
	}
}

// do says why a namespace was kept.
func (namespaceKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error) {
	if s.Action == ActionCreate {
		return done{}, e.cluster.CreateNamespace(ctx, s.Namespace)
	}
	kept, err := e.cluster.DeleteNamespace(ctx, s.Namespace, e.Patience, progress)
	if kept != "" {
		kept = "kept, because " + kept
	}
	return done{note: kept}, err
}
