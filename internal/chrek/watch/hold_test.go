package watch

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/artifact"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/engine"
	"github.com/wheelhouse-dev/wheelhouse/internal/chrek/protocol"
)

func watcher(client kubernetes.Interface, identity string) *Watcher {
	return &Watcher{Client: client, Namespace: "team-a", Own: "chrek-system", Node: "node", Identity: identity, Log: slog.New(slog.DiscardHandler)}
}

func TestOneAgentAtATimeWritesAnArtifact(t *testing.T) {
	client := fake.NewClientset()
	one, two := watcher(client, "node-1/a"), watcher(client, "node-2/b")
	held, release, err := one.hold(t.Context(), "llama")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := two.hold(t.Context(), "llama"); err == nil || !strings.Contains(err.Error(), "node-1/a has Lease chrek-system/checkpoint-team-a-llama") {
		t.Errorf("got %v", err)
	}
	if _, other, err := two.hold(t.Context(), "mistral"); err != nil {
		t.Errorf("another artifact: %v", err)
	} else {
		other()
	}
	if held.Err() != nil {
		t.Errorf("it was lost: %v", held.Err())
	}
	release()
	if held.Err() == nil {
		t.Error("work goes on without the Lease")
	}
	if _, again, err := two.hold(t.Context(), "llama"); err != nil {
		t.Errorf("a Lease that was given back: %v", err)
	} else {
		again()
	}
}

// TestANameThatLeadsElsewhereIsRefused: nothing is asked and nothing is written for it.
func TestANameThatLeadsElsewhereIsRefused(t *testing.T) {
	for _, name := range []string{"../team-b/llama", "/etc", "a/b", "..", ".new@node@1", "a.b", "A", "", "a\nb"} {
		p := pod(true, asSource)
		p.Name, p.Namespace, p.UID = "p", "team-a", "1"
		client := fake.NewClientset(p)
		w := watcher(client, "node/a")
		w.Engine = &engine.Engine{Store: artifact.NewStore(t.TempDir(), "team-a", "node")}
		if !w.take(t.Context(), w.Log, p, engine.Subject{Artifact: name}) {
			t.Errorf("%q is tried again", name)
		}
		now, err := client.CoreV1().Pods("team-a").Get(t.Context(), "p", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if c := protocol.Condition(now, protocol.ConditionCheckpointed); c == nil || c.Reason != protocol.ReasonFailed || !strings.Contains(c.Message, "can be no name") {
			t.Errorf("%q: %+v", name, c)
		}
		for _, action := range client.Actions() {
			if action.GetResource().Resource == "leases" {
				t.Errorf("%q: a Lease was asked for", name)
			}
		}
		if err := w.Discard(t.Context(), name); !errors.Is(err, artifact.ErrMissing) {
			t.Errorf("%q can be removed: %v", name, err)
		}
	}
}
