package publish

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

func TestWhatAProfilerLeaves(t *testing.T) {
	const graph = "kind: DynamoGraphDeployment\n"
	for name, tc := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a result":            {map[string]string{render.ProfilingResult: graph, render.ProfilingStatus: "status: success"}, ""},
		"without a status":    {map[string]string{render.ProfilingMockerResult: graph}, ""},
		"nothing":             {nil, "left neither config_with_planner.yaml nor mocker_config_with_planner.yaml"},
		"a failure":           {map[string]string{render.ProfilingStatus: "status: failed\nmessage: no\nerror: no GPU fits"}, "says that it failed: no GPU fits"},
		"a failure, no cause": {map[string]string{render.ProfilingStatus: "status: failed\n"}, "it does not say why"},
		"half a run":          {map[string]string{render.ProfilingResult: graph, render.ProfilingStatus: "status: running\nmessage: sweeping"}, "says that it is running: sweeping"},
		"a status of lists":   {map[string]string{render.ProfilingStatus: "[1]"}, "read profiler_status.yaml"},
		"too large together":  {map[string]string{render.ProfilingResult: strings.Repeat("a", 500<<10), render.ProfilingMockerResult: strings.Repeat("b", 500<<10)}, "more than 900 KiB"},
		"too large alone":     {map[string]string{render.ProfilingResult: strings.Repeat("a", 901<<10)}, "no plain file of at most 900 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := fstest.MapFS{}
			for name, text := range tc.files {
				dir[name] = &fstest.MapFile{Data: []byte(text)}
			}
			var written struct{ Data map[string]string }
			err := Run(context.Background(), dir, func(_ context.Context, patch []byte) error { return json.Unmarshal(patch, &written) })
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) {
					t.Errorf("got %v, want %q", err, tc.want)
				}
				return
			}
			if err != nil || !maps.Equal(written.Data, tc.files) {
				t.Errorf("%v, %v", written.Data, err)
			}
		})
	}
}
