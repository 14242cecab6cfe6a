package await

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// askWebhooksEvery is the pause between two questions to a webhook.
const askWebhooksEvery = 500 * time.Millisecond

// awaitWebhooks waits until the API server reaches the admission webhooks of a
// release. Ready pods are not enough: until the network has learnt of them, what
// a user applies next would be refused.
func (w *Waiter) awaitWebhooks(ctx context.Context, gate rollout.Gate, report func(string)) error {
	for _, object := range gate.Objects {
		if object.Kind != "ValidatingWebhookConfiguration" && object.Kind != "MutatingWebhookConfiguration" {
			continue
		}
		p, err := w.probeOf(object, gate.Release.Namespace)
		if err != nil {
			return fmt.Errorf("%s: %w", object, err)
		}
		if p == nil {
			continue
		}
		if err := p.await(ctx, object, gate, report); err != nil {
			return err
		}
	}
	return nil
}

// probe is a dry run that an admission webhook has to answer. A refusal is an
// answer, too.
type probe struct {
	client  dynamic.ResourceInterface
	object  *unstructured.Unstructured
	webhook string
}

// probeOf is nil if nothing can be asked: the webhook sees no creation of a kind
// that it names.
func (w *Waiter) probeOf(configuration chart.Object, namespace string) (*probe, error) {
	data, err := configuration.JSON()
	if err != nil {
		return nil, err
	}
	// Both kinds have their rules in the same place.
	var c admissionv1.ValidatingWebhookConfiguration
	if err := json.Unmarshal(data, &c); err != nil {
		return nil, err
	}
	for _, webhook := range c.Webhooks {
		for _, rule := range webhook.Rules {
			resource, ok := created(rule)
			if !ok {
				continue
			}
			kind, err := w.session.Mapper.KindFor(resource)
			if err != nil {
				continue // Not served: nobody can be refused.
			}
			object := &unstructured.Unstructured{}
			object.SetGroupVersionKind(kind)
			object.SetGenerateName("wheelhouse-asks-")
			return &probe{w.session.Dynamic.Resource(resource).Namespace(namespace), object, webhook.Name}, nil
		}
	}
	return nil, nil
}

// created is a resource whose creation a rule is about.
func created(rule admissionv1.RuleWithOperations) (schema.GroupVersionResource, bool) {
	if len(rule.APIGroups)*len(rule.APIVersions)*len(rule.Resources) == 0 {
		return schema.GroupVersionResource{}, false
	}
	first := schema.GroupVersionResource{Group: rule.APIGroups[0], Version: rule.APIVersions[0], Resource: rule.Resources[0]}
	named := !strings.Contains(first.Group+first.Version+first.Resource, "*") && !strings.Contains(first.Resource, "/")
	creates := slices.Contains(rule.Operations, admissionv1.Create) || slices.Contains(rule.Operations, admissionv1.OperationAll)
	return first, named && creates
}

func (p *probe) await(ctx context.Context, configuration chart.Object, gate rollout.Gate, report func(string)) error {
	said := ""
	for began := time.Now(); ; {
		_, err := p.client.Create(ctx, p.object, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("failed calling webhook %q", p.webhook)) {
			return nil
		}
		if time.Since(began) > gate.Patience {
			return fmt.Errorf("%s does not answer: %w", configuration, err)
		}
		if now := fmt.Sprintf("%s does not answer yet: %v", configuration, err); now != said {
			said = now
			report(now)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(askWebhooksEvery):
		}
	}
}
