package certificate

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wheelhouse-dev/wheelhouse/internal/certs"
	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
	"github.com/wheelhouse-dev/wheelhouse/internal/marks"
	"github.com/wheelhouse-dev/wheelhouse/internal/rollout"
)

// authorityManager owns the authority in webhook configurations. It is not that
// of releases, or an upgrade would take the field away again.
const authorityManager = "wheelhouse-certificate"

// standing is how the certificate of a release is, and what is to be done.
type standing struct {
	// secret is nil if there is none.
	secret *corev1.Secret
	plan   certs.Plan
	// known says that the API server trusts some authority already.
	known bool
	// untrusting are the configurations that do not trust what the plan uses.
	untrusting []chart.Object
}

// AuthorityDue implements rollout.Cluster.
func (k Keeper) AuthorityDue(ctx context.Context, authority rollout.Authority) (string, error) {
	st, err := k.standing(ctx, authority)
	switch {
	case err != nil:
		return "", err
	case st.plan.Why != "":
		return st.plan.Why, nil
	case len(st.untrusting) > 0:
		return st.untrusting[0].String() + " does not trust it", nil
	default:
		return "", nil
	}
}

// KeepAuthority implements rollout.Cluster.
func (k Keeper) KeepAuthority(ctx context.Context, authority rollout.Authority) error {
	st, err := k.standing(ctx, authority)
	if err != nil {
		return err
	}
	for _, configuration := range st.untrusting {
		if err := k.trust(ctx, configuration, st.plan.Use.Bundle()); err != nil {
			return err
		}
	}
	if st.plan.Why == "" {
		return nil
	}
	if st.known && len(st.untrusting) > 0 {
		// API servers learn of the new authority before they meet its certificate.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(certs.Settle):
		}
	}
	return k.writeCertificate(ctx, authority, st)
}

func (k Keeper) standing(ctx context.Context, authority rollout.Authority) (*standing, error) {
	st := &standing{}
	bundles := make([][]byte, len(authority.Configurations))
	var before []byte
	for i, configuration := range authority.Configurations {
		trusted, err := k.bundles(ctx, configuration)
		if err != nil && !apierrors.IsNotFound(err) {
			return nil, k.session.Explain("read "+configuration.String(), err)
		}
		bundles[i] = common(trusted)
		before = slices.Concat(before, bundles[i])
	}
	trusted := certs.Trusted(before)
	st.known = trusted != nil
	secret, err := k.session.Kube.CoreV1().Secrets(authority.Namespace).Get(ctx, authority.Secret, metav1.GetOptions{})
	var stored *certs.Material
	var problem error
	switch {
	case apierrors.IsNotFound(err):
		problem = fmt.Errorf("there is no Secret %s", authority.SecretName())
	case err != nil:
		return nil, k.session.Explain("read Secret "+authority.SecretName(), err)
	default:
		st.secret = secret
		if stored, problem = certs.Parse(secret.Data); problem != nil {
			problem = fmt.Errorf("the certificate in Secret %s cannot be used: %w", authority.SecretName(), problem)
		}
	}
	if st.plan, err = certs.Next(stored, problem, trusted, authority.DNSName(), time.Now(), authority.Validity); err != nil {
		return nil, err
	}
	for i, configuration := range authority.Configurations {
		if !bytes.Equal(bundles[i], st.plan.Use.Bundle()) {
			st.untrusting = append(st.untrusting, configuration)
		}
	}
	return st, nil
}

// common is what all webhooks of a configuration trust; nil if they differ.
func common(bundles [][]byte) []byte {
	for _, bundle := range bundles {
		if !bytes.Equal(bundle, bundles[0]) {
			return nil
		}
	}
	if len(bundles) == 0 {
		return nil
	}
	return bundles[0]
}

// trust writes the authority into every webhook of a configuration, if that is
// as it was read. A CRD that does not exist yet is trusted with it later.
func (k Keeper) trust(ctx context.Context, configuration chart.Object, bundle []byte) error {
	at, err := k.session.Locate(configuration, fleet.Key{})
	if err != nil {
		return err
	}
	client := k.session.Client(at)
	live, err := client.Get(ctx, configuration.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) && isCRD(configuration) {
		return nil
	}
	if err != nil {
		return k.session.Explain("read "+configuration.String(), err)
	}
	patch := []operation{{"test", "/metadata/resourceVersion", live.GetResourceVersion()}}
	if isCRD(configuration) {
		// The status of a new one changes all the time.
		patch[0] = operation{"test", "/metadata/generation", live.GetGeneration()}
		patch, err = trustOfCRD(patch, configuration, live, bundle)
		if err != nil {
			return err
		}
	}
	hooks, _ := live.Object["webhooks"].([]any)
	for i := range hooks {
		patch = append(patch, operation{"add", fmt.Sprintf("/webhooks/%d/clientConfig/caBundle", i), bundle})
	}
	data, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	_, err = client.Patch(ctx, configuration.Name, types.JSONPatchType, data, metav1.PatchOptions{FieldManager: authorityManager})
	return k.session.Explain("write the authority into "+configuration.String(), err)
}

// TrustDefinition has a CRD, as soon as it is there, trust who converts its objects, if
// that certificate has been made.
func (k Keeper) TrustDefinition(ctx context.Context, crd *unstructured.Unstructured) error {
	namespace, _, _ := unstructured.NestedString(crd.Object, "spec", "conversion", "webhook", "clientConfig", "service", "namespace")
	secret, err := k.session.Kube.CoreV1().Secrets(namespace).Get(ctx, crd.GetAnnotations()[marks.Certificate], metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return k.session.Explain("read the certificate of "+crd.GetName(), err)
	}
	configuration := chart.Object{APIVersion: crd.GetAPIVersion(), Kind: crd.GetKind(), Name: crd.GetName()}
	if made, err := certs.Parse(secret.Data); err == nil {
		return k.trust(ctx, configuration, made.Bundle())
	}
	return nil // the step that keeps it says what is wrong with it, and makes another
}

// operation is one of a JSON patch.
type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// trustOfCRD has a CRD trust the authority. One that has no webhook yet is given
// the wanted one as a whole: its further versions, which need it, come after that.
func trustOfCRD(patch []operation, wanted chart.Object, live *unstructured.Unstructured, bundle []byte) ([]operation, error) {
	if _, has, _ := unstructured.NestedMap(live.Object, "spec", "conversion", "webhook", "clientConfig"); has {
		return append(patch, operation{"add", "/spec/conversion/webhook/clientConfig/caBundle", bundle}), nil
	}
	var content map[string]any
	if err := wanted.Read(&content); err != nil {
		return nil, fmt.Errorf("%s: %w", wanted, err)
	}
	conversion, has, err := unstructured.NestedMap(content, "spec", "conversion")
	if err == nil && !has {
		err = errors.New("there is none")
	}
	if err == nil {
		err = unstructured.SetNestedField(conversion, base64.StdEncoding.EncodeToString(bundle), "webhook", "clientConfig", "caBundle")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: spec.conversion: %w", wanted, err)
	}
	return append(patch, operation{"add", "/spec/conversion", conversion}), nil
}

func isCRD(o chart.Object) bool { return o.Kind == "CustomResourceDefinition" }

// writeCertificate replaces the Secret as it was read. A new one belongs to the
// webhooks' Service, so that uninstalling leaves no key behind.
func (k Keeper) writeCertificate(ctx context.Context, authority rollout.Authority, st *standing) error {
	secrets, options := k.session.Kube.CoreV1().Secrets(authority.Namespace), authorityManager
	if st.secret != nil {
		secret := st.secret.DeepCopy()
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		maps.Copy(secret.Data, st.plan.Use.Data())
		_, err := secrets.Update(ctx, secret, metav1.UpdateOptions{FieldManager: options})
		return k.session.Explain("renew Secret "+authority.SecretName(), err)
	}
	service, err := k.session.Kube.CoreV1().Services(authority.Namespace).Get(ctx, authority.Service, metav1.GetOptions{})
	if err != nil {
		return k.session.Explain("read Service "+authority.Namespace+"/"+authority.Service+", which is to own Secret "+authority.Secret, err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name: authority.Secret, Labels: map[string]string{marks.ManagedBy: marks.ManagedByUs},
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Service", Name: service.Name, UID: service.UID}},
		},
		Type: corev1.SecretTypeTLS, Data: st.plan.Use.Data(),
	}
	_, err = secrets.Create(ctx, secret, metav1.CreateOptions{FieldManager: options})
	return k.session.Explain("create Secret "+authority.SecretName(), err)
}
