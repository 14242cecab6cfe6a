package watch

import (
	"context"
	"errors"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

// node is an engine whose containers are what a test says.
type node struct {
	state   engine.State
	outcome engine.Outcome
	err     error // of the next step
	did     []engine.Step
	before  func() // each step
	restore int
}

func (n *node) State(engine.Subject) engine.State { return n.state }

func (n *node) Restore(_ context.Context, _ engine.Subject, begins func()) engine.Outcome {
	n.restore++
	if n.outcome.Reason != "" {
		begins()
	}
	return n.outcome
}

func (n *node) Do(_ context.Context, _ engine.Subject, next engine.Step) error {
	if next == engine.Nothing {
		return nil
	}
	if n.before != nil {
		n.before()
	}
	n.did = append(n.did, next)
	err := n.err
	n.err = nil
	return err
}

func starting(t *testing.T, n *node, change ...func(*corev1.Pod)) (w *Watcher, p *corev1.Pod, look func()) {
	t.Helper()
	p = pod(false, asTarget)
	for _, c := range change {
		c(p)
	}
	p.Name, p.Namespace, p.UID = "p", "team-a", "1"
	w = watcher(fake.NewClientset(p), "node/a")
	w.init()
	w.starter = n
	return w, p, func() {
		w.consider(t.Context(), p)
		w.work.Wait()
	}
}

func restoredOf(t *testing.T, w *Watcher) corev1.PodCondition {
	t.Helper()
	now, err := w.Client.CoreV1().Pods("team-a").Get(t.Context(), "p", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if c := protocol.Condition(now, protocol.ConditionRestored); c != nil {
		return *c
	}
	return corev1.PodCondition{}
}

func lived(seconds int) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[1].LastTerminationState.Terminated = &corev1.ContainerStateTerminated{
			StartedAt: metav1.Unix(1000, 0), FinishedAt: metav1.Unix(int64(1000+seconds), 0),
		}
	}
}

// TestWhatIsLeftIsDoneUntilTheContainerWaitsNoMore: also where the first try fails. Each
// look is one of the many that a pod gets.
func TestWhatIsLeftIsDoneUntilTheContainerWaitsNoMore(t *testing.T) {
	failed := func(next engine.Step) engine.Outcome {
		return engine.Outcome{Reason: protocol.ReasonFailed, Message: "CRIU says\nno", Next: next}
	}
	restored := engine.Outcome{Reason: protocol.ReasonRestored, Message: "from zero"}
	for name, tc := range map[string]struct {
		state    engine.State
		outcome  engine.Outcome
		change   func(*corev1.Pod)
		restores int
		did      []engine.Step
		status   corev1.ConditionStatus
	}{
		"it is not there yet":       {engine.Away, restored, asTarget, 0, nil, ""},
		"it is restored":            {engine.Waits, restored, asTarget, 1, nil, corev1.ConditionTrue},
		"it has ended meanwhile":    {engine.Waits, engine.Outcome{}, asTarget, 2, nil, ""},
		"nothing was touched":       {engine.Waits, failed(engine.StartAnew), asTarget, 1, []engine.Step{engine.StartAnew, engine.StartAnew}, corev1.ConditionFalse},
		"files were put into it":    {engine.Waits, failed(engine.GiveUp), asTarget, 1, []engine.Step{engine.GiveUp, engine.GiveUp}, corev1.ConditionFalse},
		"it was refused before":     {engine.Waits, restored, with(protocol.ConditionRestored, corev1.ConditionFalse), 0, []engine.Step{engine.StartAnew, engine.StartAnew}, corev1.ConditionFalse},
		"it ended at once":          {engine.Waits, restored, with(protocol.ConditionRestored, corev1.ConditionTrue, lived(3)), 0, []engine.Step{engine.StartAnew, engine.StartAnew}, corev1.ConditionFalse},
		"an agent was interrupted":  {engine.Waits, restored, with(protocol.ConditionRestored, corev1.ConditionUnknown), 0, []engine.Step{engine.GiveUp, engine.GiveUp}, corev1.ConditionFalse},
		"nobody could say that":     {engine.Begun, restored, asTarget, 0, []engine.Step{engine.GiveUp, engine.GiveUp}, corev1.ConditionFalse},
		"in the second container":   {engine.Begun, restored, with(protocol.ConditionRestored, corev1.ConditionTrue), 0, []engine.Step{engine.GiveUp, engine.GiveUp}, corev1.ConditionFalse},
		"it was said, and not done": {engine.Begun, restored, with(protocol.ConditionRestored, corev1.ConditionFalse), 0, []engine.Step{engine.StartAnew, engine.StartAnew}, corev1.ConditionFalse},
	} {
		t.Run(name, func(t *testing.T) {
			n := &node{state: tc.state, outcome: tc.outcome, err: errors.New("no such process")}
			w, _, look := starting(t, n, tc.change)
			look()
			look()
			n.state = engine.Away
			look()
			if !slices.Equal(n.did, tc.did) || n.restore != tc.restores {
				t.Errorf("did %v in %d restores, want %v in %d", n.did, n.restore, tc.did, tc.restores)
			}
			if c := restoredOf(t, w); c.Status != tc.status {
				t.Errorf("condition: %+v, want %q", c, tc.status)
			}
		})
	}
}

// TestTheOutcomeIsKnownBeforeTheContainerEnds: the next look at the pod finds it.
func TestTheOutcomeIsKnownBeforeTheContainerEnds(t *testing.T) {
	n := &node{state: engine.Waits, outcome: engine.Outcome{Reason: protocol.ReasonFailed, Message: "CRIU says\nno", Next: engine.GiveUp}}
	w, p, look := starting(t, n)
	n.before = func() {
		if c := restoredOf(t, w); c.Status != corev1.ConditionFalse || c.Reason != protocol.ReasonFailed || c.Message != `CRIU says\nno` {
			t.Errorf("condition: %+v", c)
		}
	}
	look()
	events, err := w.Client.CoreV1().Events("team-a").List(t.Context(), metav1.ListOptions{})
	if err != nil || len(events.Items) != 1 || events.Items[0].Reason != "CheckpointFailed" || events.Items[0].Type != corev1.EventTypeWarning {
		t.Errorf("events: %+v, %v", events, err)
	}
	// What is seen of the pod is older than what was said, and its container another.
	p.Status.ContainerStatuses[1].ContainerID = "containerd://next"
	n.before = nil
	look()
	if want := []engine.Step{engine.GiveUp, engine.StartAnew}; !slices.Equal(n.did, want) || n.restore != 1 {
		t.Errorf("did %v in %d restores, want %v in one", n.did, n.restore, want)
	}
}

// TestAContainerThatWaitsIsToldAtOnce: an API server that does not answer delays nothing.
func TestAContainerThatWaitsIsToldAtOnce(t *testing.T) {
	n := &node{state: engine.Waits, outcome: engine.Outcome{Reason: protocol.ReasonMissing, Message: "nowhere", Next: engine.StartAnew}}
	w, _, look := starting(t, n)
	n.before = func() {
		if c := restoredOf(t, w); c.Status != corev1.ConditionUnknown {
			t.Errorf("it was told after it was said: %+v", c)
		}
	}
	look()
	if !slices.Equal(n.did, []engine.Step{engine.StartAnew}) {
		t.Errorf("did %v", n.did)
	}
}

// TestAContainerThatEndedLeavesItsVolumesToTheNext: somebody has to empty them.
func TestAContainerThatEndedLeavesItsVolumesToTheNext(t *testing.T) {
	n := &node{state: engine.Waits, outcome: engine.Outcome{Reason: protocol.ReasonFailed, Message: "CRIU has ended", Next: engine.GiveUp}, err: errors.New("it has no process")}
	_, p, look := starting(t, n)
	look()
	for _, id := range []string{"containerd://next", "containerd://another"} {
		p.Status.ContainerStatuses[1].ContainerID = id
		look()
	}
	if want := []engine.Step{engine.GiveUp, engine.GiveUp, engine.StartAnew}; !slices.Equal(n.did, want) || n.restore != 1 {
		t.Errorf("did %v in %d restores, want %v in one", n.did, n.restore, want)
	}
}
