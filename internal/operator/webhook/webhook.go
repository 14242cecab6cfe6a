// Package webhook answers admission requests of the API server: it refuses
// objects that the rules of package validate find wrong, and marks new graphs
// with the operator's version.
//
// What is wrong with an object by itself is refused. What the cluster lacks for
// it is a warning, because a cluster changes; the object's status says the same.
package webhook

import (
	"context"

	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/config"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/validate"
)

// Paths of the webhooks: a verb and a kind of the group nvidia.com.
const (
	ValidateGraphs      = "/validate-nvidia-com-v1alpha1-dynamographdeployment"
	ValidateComponents  = "/validate-nvidia-com-v1alpha1-dynamocomponentdeployment"
	ValidateModels      = "/validate-nvidia-com-v1alpha1-dynamomodel"
	ValidateRequests    = "/validate-nvidia-com-v1alpha1-dynamographdeploymentrequest"
	ValidateCheckpoints = "/validate-nvidia-com-v1alpha1-dynamocheckpoint"
	MutateGraphs        = "/mutate-nvidia-com-v1alpha1-dynamographdeployment"
)

// Options are what the answers depend on besides the objects.
type Options struct {
	Scheme *runtime.Scheme
	// Serves reports whether a namespace is this operator's to serve. In
	// others everything is allowed.
	Serves func(ctx context.Context, namespace string) (bool, error)
	// OperatorUser is the name by which the API server knows the operator, such
	// as system:serviceaccount:NAMESPACE:NAME.
	OperatorUser string
	// Version of the operator, as semver.
	Version string
	// Cluster says what graphs can be deployed with.
	Cluster render.Capabilities
	// Config says what graphs may do.
	Config *config.OperatorConfiguration
	// Authors are asked about, where the configuration says so.
	Authors Authors
}

// Handlers returns the webhooks by path.
func Handlers(o Options) map[string]*admission.Webhook {
	return map[string]*admission.Webhook{
		ValidateGraphs: admission.WithValidator(o.Scheme, &validator[*v1alpha1.DynamoGraphDeployment]{
			kind: v1alpha1.KindGraphDeployment, serves: o.Serves, check: o.checkGraph,
			rights: o.graphRights, authors: o.Authors,
		}),
		ValidateComponents: admission.WithValidator(o.Scheme, &validator[*v1alpha1.DynamoComponentDeployment]{
			kind: v1alpha1.KindComponentDeployment, serves: o.Serves, check: o.checkComponent,
			rights: o.componentRights, authors: o.Authors,
		}),
		ValidateModels: admission.WithValidator(o.Scheme, &validator[*v1alpha1.DynamoModel]{
			kind: v1alpha1.KindModel, serves: o.Serves, check: checkModel,
		}),
		ValidateRequests: admission.WithValidator(o.Scheme, &validator[*v1alpha1.DynamoGraphDeploymentRequest]{
			kind: v1alpha1.KindGraphDeploymentRequest, serves: o.Serves, check: o.checkRequest,
		}),
		ValidateCheckpoints: admission.WithValidator(o.Scheme, &validator[*v1alpha1.DynamoCheckpoint]{
			kind: v1alpha1.KindCheckpoint, serves: o.Serves, check: checkCheckpoint,
		}),
		MutateGraphs: {Handler: &versionMark{serves: o.Serves, version: o.Version}},
	}
}

func (o Options) checkGraph(user authenticationv1.UserInfo, old, dgd *v1alpha1.DynamoGraphDeployment) (field.ErrorList, []string) {
	errs, warnings := validate.Graph(dgd, o.Config)
	if old != nil {
		errs = append(errs, validate.GraphUpdate(old, dgd, o.mayScale(user, dgd.Namespace))...)
	}
	if len(errs) == 0 {
		if err := render.CheckPathway(dgd, o.Cluster); err != nil {
			warnings = append(warnings, "the graph will not be deployed: "+err.Error())
		}
		if missing := render.MissingNATS(dgd, o.Config.Infrastructure.NATSAddress); len(missing) > 0 {
			warnings = append(warnings, render.NoNATS(missing))
		}
	}
	return errs, warnings
}

// graphRights: the operator acts for others, and a change of replicas alone is
// the business of autoscalers, which create no pods themselves.
func (o Options) graphRights(user authenticationv1.UserInfo, old, dgd *v1alpha1.DynamoGraphDeployment) []validate.Right {
	if user.Username == o.OperatorUser || old != nil && validate.GraphOnlyScales(old, dgd) {
		return nil
	}
	return validate.GraphRights(dgd)
}

func (o Options) componentRights(user authenticationv1.UserInfo, old, dcd *v1alpha1.DynamoComponentDeployment) []validate.Right {
	if user.Username == o.OperatorUser || old != nil && validate.ComponentOnlyScales(old, dcd) {
		return nil
	}
	return validate.ComponentRights(dcd)
}

// mayScale reports whether a user may change the replicas of a service that has
// a scaling adapter: the operator itself and the planners of the namespace. Only
// whole names count; anybody can make an account whose name ends like theirs.
func (o Options) mayScale(user authenticationv1.UserInfo, namespace string) bool {
	switch user.Username {
	case "":
		return false
	case o.OperatorUser, ServiceAccountUser(namespace, render.PlannerServiceAccount):
		return true
	}
	return false
}

// ServiceAccountUser is the name by which the API server knows a ServiceAccount.
func ServiceAccountUser(namespace, name string) string {
	return "system:serviceaccount:" + namespace + ":" + name
}

func (o Options) checkComponent(user authenticationv1.UserInfo, old, dcd *v1alpha1.DynamoComponentDeployment) (field.ErrorList, []string) {
	errs, warnings := validate.Component(dcd, o.Config)
	if user.Username != o.OperatorUser {
		errs = append(errs, validate.ComponentOrigin(old, dcd)...)
	}
	if old != nil {
		errs = append(errs, validate.ComponentUpdate(old, dcd)...)
	}
	return errs, warnings
}

// Of kinds that no controller of this version acts on, their authors are told so.
const (
	requestsIdle    = "this version of the operator does not act on DynamoGraphDeploymentRequests: nothing is profiled, and no graph is made"
	checkpointsIdle = "this version of the operator does not act on DynamoCheckpoints: nothing is stored"
)

func checkModel(_ authenticationv1.UserInfo, old, model *v1alpha1.DynamoModel) (field.ErrorList, []string) {
	errs := validate.Model(model)
	if old != nil {
		errs = append(errs, validate.ModelUpdate(old, model)...)
	}
	return errs, nil
}

func (o Options) checkRequest(_ authenticationv1.UserInfo, _, request *v1alpha1.DynamoGraphDeploymentRequest) (field.ErrorList, []string) {
	errs, warnings := validate.Request(request, !o.Config.ClusterWide())
	return errs, append(warnings, requestsIdle)
}

func checkCheckpoint(_ authenticationv1.UserInfo, _, _ *v1alpha1.DynamoCheckpoint) (field.ErrorList, []string) {
	return nil, []string{checkpointsIdle}
}
