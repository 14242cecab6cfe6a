// Package kinds lists what the operator looks after. A new kind is a folder
// here and a line in All.
package kinds

import (
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/adapter"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/checkpoint"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/component"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/graph"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/model"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/kinds/request"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
)

// All are the kinds that the operator looks after.
func All() []lifecycle.Kind {
	return []lifecycle.Kind{
		graph.Kind(),
		component.Kind(),
		adapter.Kind(),
		model.Kind(),
		request.Kind(),
		checkpoint.Kind(),
	}
}
