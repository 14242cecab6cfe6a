package rollout

import (
	"context"
	"time"
)

// graphKind deletes a graph, while its operator lives.
type graphKind struct{ unseen }

func (graphKind) needs(s *Step, _ bool) []Need {
	return []Need{{Verbs: goneVerbs, Group: graphGroup, Resource: graphs, Namespace: s.Namespace, For: "graphs in " + s.Namespace}}
}

func (graphKind) do(ctx context.Context, s Step, e *execution, progress func(string)) (done, error) {
	return done{}, e.cluster.DeleteGraph(ctx, Graph{Namespace: s.Namespace, Name: s.Names[0]}, e.Patience, progress)
}

// Graph is one DynamoGraphDeployment and what its status says.
type Graph struct {
	Namespace string    `json:"namespace"`
	Name      string    `json:"name"`
	Ready     bool      `json:"ready"`
	State     string    `json:"state,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	Message   string    `json:"message,omitempty"`
	Created   time.Time `json:"created"`
}
