package config

import (
	"net"
	"path"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var logLevels = []string{"debug", "info", "warn", "error"}

func (c *OperatorConfiguration) validate() field.ErrorList {
	var errs field.ErrorList
	if c.APIVersion != APIVersion {
		errs = append(errs, field.NotSupported(field.NewPath("apiVersion"), c.APIVersion, []string{APIVersion}))
	}
	if c.Kind != Kind {
		errs = append(errs, field.NotSupported(field.NewPath("kind"), c.Kind, []string{Kind}))
	}
	errs = append(errs, c.Namespace.validate(field.NewPath("namespace"))...)
	errs = append(errs, c.LeaderElection.validate(field.NewPath("leaderElection"))...)
	server := field.NewPath("server")
	errs = append(errs, validateAddress(server.Child("metrics", "bindAddress"), c.Server.Metrics.BindAddress)...)
	errs = append(errs, validateAddress(server.Child("healthProbe", "bindAddress"), c.Server.HealthProbe.BindAddress)...)
	errs = append(errs, c.Server.Profile.validate(server.Child("profile", "bindAddress"))...)
	errs = append(errs, c.Server.Webhook.validate(server.Child("webhook"))...)
	errs = append(errs, c.validateRestricted()...)
	errs = append(errs, oneOf(field.NewPath("discovery", "backend"), c.Discovery.Backend, DiscoveryKubernetes, DiscoveryEtcd)...)
	errs = append(errs, oneOf(field.NewPath("logging", "level"), c.Logging.Level, logLevels...)...)
	errs = append(errs, c.Ingress.validate(field.NewPath("ingress"))...)
	errs = append(errs, c.Platform.validate(field.NewPath("platform"))...)
	errs = append(errs, c.Orchestrators.validate(field.NewPath("orchestrators"))...)
	errs = append(errs, c.Checkpoint.validate(field.NewPath("checkpoint"))...)
	return append(errs, c.Components.validate(field.NewPath("components"))...)
}

func (c Checkpoint) validate(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.Enabled && c.AgentImage == "" {
		errs = append(errs, field.Required(at.Child("agentImage"), "the image of the chart chrek, whose program waits in pods for what is restored"))
	}
	if path.IsAbs(c.SeccompProfile) || strings.Contains(c.SeccompProfile, "..") {
		errs = append(errs, field.Invalid(at.Child("seccompProfile"), c.SeccompProfile, "must be a path beneath the kubelet's folder of profiles"))
	}
	if !path.IsAbs(c.BasePath) {
		errs = append(errs, field.Invalid(at.Child("basePath"), c.BasePath, "must be an absolute path"))
	}
	if c.MostPerNamespace < 0 {
		errs = append(errs, field.Invalid(at.Child("mostPerNamespace"), c.MostPerNamespace, "must be at least 0"))
	}
	return errs
}

// validateRestricted: what belongs to the cluster is not for an operator of one
// namespace, whose rights whoever can edit that namespace may have.
func (c *OperatorConfiguration) validateRestricted() field.ErrorList {
	if c.ClusterWide() {
		return nil
	}
	var errs field.ErrorList
	forbid := func(is bool, why string, path ...string) {
		if is {
			errs = append(errs, field.Forbidden(field.NewPath(path[0], path[1:]...), why))
		}
	}
	forbid(c.Server.Webhook.SelfManaged(), "a restricted operator has no right on webhook configurations: use secret or files", "server", "webhook", "certificates", "source")
	forbid(c.Orchestrators.KAIScheduler.CreateQueues, "a restricted operator has no right on queues, which belong to the cluster", "orchestrators", "kaiScheduler", "createQueues")
	forbid(c.Server.Metrics.Secure && c.Server.Metrics.BindAddress != Off, "a restricted operator cannot ask who may read its metrics", "server", "metrics", "secure")
	return errs
}

func (n Namespace) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if n.Restricted != "" {
		errs = append(errs, matches(path.Child("restricted"), n.Restricted, validation.IsDNS1123Label)...)
	}
	duration, interval := n.Scope.LeaseDuration.Duration, n.Scope.LeaseRenewInterval.Duration
	if interval <= 0 {
		errs = append(errs, field.Invalid(path.Child("scope", "leaseRenewInterval"), interval.String(), "must be longer than zero"))
	}
	// A Lease stores whole seconds; a fraction would be lost silently.
	if duration < time.Second || duration%time.Second != 0 {
		errs = append(errs, field.Invalid(path.Child("scope", "leaseDuration"), duration.String(), "must be a whole number of seconds"))
	}
	if duration <= interval {
		errs = append(errs, field.Invalid(path.Child("scope", "leaseDuration"), duration.String(), "must be longer than leaseRenewInterval"))
	}
	return errs
}

func (l LeaderElection) validate(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if l.Enabled {
		errs = append(errs, matches(path.Child("id"), l.ID, validation.IsDNS1123Subdomain)...)
	}
	if l.Namespace != "" {
		errs = append(errs, matches(path.Child("namespace"), l.Namespace, validation.IsDNS1123Label)...)
	}
	return errs
}

func validateAddress(path *field.Path, address string) field.ErrorList {
	if address == Off {
		return nil
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return field.ErrorList{field.Invalid(path, address, `must be host:port, or "0" to listen on nothing`)}
	}
	return nil
}

// validate: who reads a profile is not asked who he is.
func (p Profile) validate(at *field.Path) field.ErrorList {
	if errs := validateAddress(at, p.BindAddress); len(errs) > 0 || p.BindAddress == Off {
		return errs
	}
	if host, _, _ := net.SplitHostPort(p.BindAddress); !net.ParseIP(host).IsLoopback() {
		return field.ErrorList{field.Invalid(at, p.BindAddress, `must be an address of the pod alone, such as 127.0.0.1:6060, or "0" to listen on nothing`)}
	}
	return nil
}

func oneOf(path *field.Path, value string, allowed ...string) field.ErrorList {
	for _, a := range allowed {
		if value == a {
			return nil
		}
	}
	return field.ErrorList{field.NotSupported(path, value, allowed)}
}

func matches(path *field.Path, value string, check func(string) []string) field.ErrorList {
	var errs field.ErrorList
	for _, msg := range check(value) {
		errs = append(errs, field.Invalid(path, value, msg))
	}
	return errs
}
