package rollout

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// waveKind stands between two waves.
type waveKind struct{ unseen }

func (waveKind) needs(*Step, bool) []Need { return nil }

func (waveKind) do(context.Context, Step, *execution, func(string)) (done, error) {
	return done{}, nil
}

// addWaves makes the releases of each wave wait until everything in the waves
// before is ready. A barrier step between two waves keeps the graph small.
func (p *Plan) addWaves(waves []string) {
	before := ""
	for i, wave := range waves {
		barrier := Step{ID: "wave " + wave, Kind: StepWave, Action: ActionWait}
		if before != "" {
			barrier.Needs = append(barrier.Needs, before)
		}
		for j := range p.Steps {
			step := &p.Steps[j]
			switch {
			case !step.inWave(wave):
			case step.Kind == StepRelease && before != "":
				step.Needs = append(step.Needs, before)
			case step.Kind == StepGate:
				barrier.Needs = append(barrier.Needs, step.ID)
				step.awaited = i < len(waves)-1
			}
		}
		if i < len(waves)-1 {
			p.Steps = append(p.Steps, barrier)
		}
		before = barrier.ID
	}
}

// inWave reports whether a step is about a release of a wave. CRDs are in none.
func (s *Step) inWave(wave string) bool {
	return (s.Kind == StepRelease || s.Kind == StepCertificate || s.Kind == StepGate) && s.target.Chart != "" && !ofCluster(s.target.Chart) && s.target.Wave == wave
}

// Until leaves what belongs to waves after the named one for another run. An
// empty name leaves nothing.
func (p *Plan) Until(wave string, waves []string) error {
	if wave == "" {
		return nil
	}
	last := slices.Index(waves, wave)
	if last < 0 {
		return noWave(wave, waves)
	}
	left, used := map[string]bool{}, map[string]bool{}
	for i := range p.Steps {
		step := &p.Steps[i]
		later := slices.IndexFunc(waves[last+1:], step.inWave)
		switch {
		case step.Kind == StepRelease && later >= 0:
			step.Action, step.Reason, step.Needs = ActionLater, "its wave is "+nameOf(waves[last+1+later]), nil
		case later >= 0, step.Kind == StepWave && slices.Index(waves, strings.TrimPrefix(step.ID, "wave ")) >= last:
			left[step.ID] = true
		case step.Kind == StepRelease:
			for _, namespace := range step.target.Namespaces() {
				used[namespace] = true
			}
		}
	}
	p.Steps = slices.DeleteFunc(p.Steps, func(s Step) bool {
		return left[s.ID] || s.Kind == StepNamespace && !used[s.Namespace]
	})
	return nil
}

func nameOf(wave string) string {
	if wave == "" {
		return "the last one"
	}
	return wave
}

func noWave(wave string, waves []string) error {
	named := slices.DeleteFunc(slices.Clone(waves), func(w string) bool { return w == "" })
	if len(named) == 0 {
		return fmt.Errorf("there is no wave %q: no platform of the fleet names a wave", wave)
	}
	return fmt.Errorf("there is no wave %q; the fleet has: %s", wave, strings.Join(named, ", "))
}
