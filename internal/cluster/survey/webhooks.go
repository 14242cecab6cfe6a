package survey

import (
	"context"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/check"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
)

// webhooks finds the admission webhooks that see our kinds, and whether
// somebody can answer them.
func (v *survey) webhooks(ctx context.Context) error {
	validating, err := v.Kube.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, c := range validating.Items {
		for _, w := range c.Webhooks {
			v.webhook("ValidatingWebhookConfiguration", &c, w.Rules, w.ClientConfig, w.FailurePolicy)
		}
	}
	mutating, err := v.Kube.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	for _, c := range mutating.Items {
		for _, w := range c.Webhooks {
			v.webhook("MutatingWebhookConfiguration", &c, w.Rules, w.ClientConfig, w.FailurePolicy)
		}
	}
	return v.answerers(ctx)
}

// webhook records a configuration once, as strict as the strictest of its
// webhooks that see our kinds.
func (v *survey) webhook(kind string, m metav1.Object, rules []admissionv1.RuleWithOperations, client admissionv1.WebhookClientConfig, policy *admissionv1.FailurePolicyType) {
	if !seesOurKinds(rules) {
		return
	}
	w := check.Webhook{
		Kind: kind, Name: m.GetName(), Release: marks.ReleaseOf(m), Trusted: len(client.CABundle) > 0,
		Fails: ptr.Deref(policy, admissionv1.Fail) == admissionv1.Fail,
	}
	if client.Service != nil {
		w.Service = fleet.Key{Namespace: client.Service.Namespace, Name: client.Service.Name}
	}
	if n := len(v.found.Webhooks); n > 0 {
		if last := &v.found.Webhooks[n-1]; last.Kind == kind && last.Name == w.Name {
			last.Fails = last.Fails || w.Fails
			last.Trusted = last.Trusted && w.Trusted
			return
		}
	}
	v.found.Webhooks = append(v.found.Webhooks, w)
}

func seesOurKinds(rules []admissionv1.RuleWithOperations) bool {
	for _, rule := range rules {
		if containsAny(rule.APIGroups, v1alpha1.GroupName, "*") && containsAny(rule.Resources,
			"*", "*/*", "dynamographdeployments", "dynamocomponentdeployments", "dynamomodels", "dynamographdeploymentrequests", "dynamocheckpoints") {
			return true
		}
	}
	return false
}

// answerers looks up the webhooks' Services, each name once.
func (v *survey) answerers(ctx context.Context) error {
	found := map[fleet.Key]bool{}
	asked := map[string]bool{}
	for _, w := range v.found.Webhooks {
		if w.Service.Name == "" || asked[w.Service.Name] {
			continue
		}
		asked[w.Service.Name] = true
		err := v.each(ctx, services, withName(w.Service.Name), func(m *metav1.PartialObjectMetadata) {
			found[fleet.Key{Namespace: m.Namespace, Name: m.Name}] = true
		})
		if err != nil {
			return err
		}
	}
	for i := range v.found.Webhooks {
		w := &v.found.Webhooks[i]
		w.ServiceFound = w.Service.Name == "" || found[w.Service]
	}
	return nil
}
