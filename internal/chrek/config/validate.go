package config

import (
	"net"
	"path"
	"regexp"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

var (
	logLevels   = []string{"debug", "info", "warn", "error"}
	cgroupModes = []string{"ignore", "soft", "full", "strict"}
	// An exclusion starts at the root (./) or matches at any depth (*).
	exclusion = regexp.MustCompile(`^(\./.|\*.)`)
	upwards   = regexp.MustCompile(`(^|/)\.\.(/|$)`)
)

func (c *AgentConfiguration) validate() field.ErrorList {
	errs := slices.Concat(
		oneOf(field.NewPath("apiVersion"), c.APIVersion, APIVersion),
		oneOf(field.NewPath("kind"), c.Kind, Kind),
		c.Agent.validate(field.NewPath("agent")),
		folder(field.NewPath("node", "kubeletSocket"), c.Node.KubeletSocket),
		c.Storage.validate(field.NewPath("storage")),
		folder(field.NewPath("checkpoint", "basePath"), c.Checkpoint.BasePath),
		c.Checkpoint.CRIU.validate(field.NewPath("checkpoint", "criu")),
		c.Checkpoint.RootfsExclusions.validate(field.NewPath("checkpoint", "rootfsExclusions")),
	)
	if c.Seccomp.Deploy {
		errs = append(errs, folder(field.NewPath("seccomp", "directory"), c.Seccomp.Directory)...)
	}
	return errs
}

func (a Agent) validate(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if a.SignalSource != SignalWatcher {
		errs = append(errs, field.Invalid(at.Child("signalSource"), a.SignalSource,
			`must be "watcher": checkpoints are asked for in the Kubernetes API; an HTTP interface without authentication is not offered`))
	}
	if a.TargetNamespace != "" {
		for _, problem := range validation.IsDNS1123Label(a.TargetNamespace) {
			errs = append(errs, field.Invalid(at.Child("targetNamespace"), a.TargetNamespace, problem))
		}
	}
	_, port, err := net.SplitHostPort(a.ListenAddr)
	if number, notNumber := strconv.Atoi(port); err != nil || notNumber != nil || number < 1 || number > 65535 {
		errs = append(errs, field.Invalid(at.Child("listenAddr"), a.ListenAddr, `must be host:port or :port, such as ":8080"`))
	}
	return append(errs, oneOf(at.Child("logLevel"), a.LogLevel, logLevels...)...)
}

func (s Storage) validate(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if s.Type != StoragePVC {
		errs = append(errs, field.Invalid(at.Child("type"), s.Type,
			`must be "pvc": only a volume is written to; with any other type checkpoints would be lost with the agent's pod`))
	}
	if s.GracePeriod.Duration < 0 {
		errs = append(errs, field.Invalid(at.Child("gracePeriod"), s.GracePeriod.Duration.String(), "must not be negative; 0s removes nothing"))
	}
	return errs
}

func (c CRIU) validate(at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if c.TCPClose && c.TCPEstablished {
		errs = append(errs, field.Invalid(at.Child("tcpEstablished"), true,
			"contradicts tcpClose: established connections are either closed or kept; set one of the two to false"))
	}
	if c.GhostLimit == 0 {
		errs = append(errs, field.Invalid(at.Child("ghostLimit"), c.GhostLimit, "must be at least 1 byte"))
	}
	if c.Timeout < 1 {
		errs = append(errs, field.Invalid(at.Child("timeout"), c.Timeout, "must be at least 1 second"))
	}
	if c.LogLevel < 0 || c.LogLevel > 4 {
		errs = append(errs, field.Invalid(at.Child("logLevel"), c.LogLevel, "must be from 0 to 4"))
	}
	if c.LibDir != "" {
		errs = append(errs, folder(at.Child("libDir"), c.LibDir)...)
	}
	errs = append(errs, folder(at.Child("workDir"), c.WorkDir)...)
	return append(errs, oneOf(at.Child("manageCgroupsMode"), c.ManageCgroupsMode, cgroupModes...)...)
}

func (r RootfsExclusions) validate(at *field.Path) field.ErrorList {
	return slices.Concat(
		exclusions(at.Child("systemDirs"), r.SystemDirs),
		exclusions(at.Child("cacheDirs"), r.CacheDirs),
		exclusions(at.Child("additionalExclusions"), r.AdditionalExclusions),
	)
}

func exclusions(at *field.Path, patterns []string) field.ErrorList {
	var errs field.ErrorList
	for i, pattern := range patterns {
		if !exclusion.MatchString(pattern) || upwards.MatchString(pattern) {
			errs = append(errs, field.Invalid(at.Index(i), pattern, `must start with "./" (from the root) or "*" (at any depth), without ".."`))
		}
	}
	return errs
}

func folder(at *field.Path, p string) field.ErrorList {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" {
		return field.ErrorList{field.Invalid(at, p, `must be an absolute path other than "/", without "..", "//" or a "/" at its end`)}
	}
	return nil
}

func oneOf(at *field.Path, value string, allowed ...string) field.ErrorList {
	if slices.Contains(allowed, value) {
		return nil
	}
	return field.ErrorList{field.NotSupported(at, value, allowed)}
}
