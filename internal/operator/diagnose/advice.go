package diagnose

import "regexp"

// advices say what the author of a graph can do about a trouble, by what
// Kubernetes says of it. The first that fits is given.
var advices = []struct {
	trouble *regexp.Regexp
	fix     string
}{
	{regexp.MustCompile(`cannot be pulled`), "correct the service's image, or name a pull secret in imagePullSecrets"},
	{regexp.MustCompile(`persistentvolumeclaim "?[^ "]+"? not found`), "create the claim, or list it in spec.pvcs with create: true"},
	{regexp.MustCompile(`unbound immediate PersistentVolumeClaims`), "`kubectl describe pvc` names the class that is missing or does not provide it"},
	{regexp.MustCompile(`(?i)(secret|configmap) "?[^ "]+"? not found`), "create it, or correct the name in the service"},
	{regexp.MustCompile(`couldn't find key`), "add the key to it, or correct the name in the service"},
	{regexp.MustCompile(`serviceaccount "?[^ "]+"? not found`), "create it, or correct extraPodSpec.serviceAccountName"},
	{regexp.MustCompile(`exceeded quota`), "lower the replicas or the resources, or have the quota raised"},
	{regexp.MustCompile(`violates PodSecurity`), "set what it names in extraPodSpec, or use another namespace"},
	{regexp.MustCompile(`OOMKilled`), "raise resources.limits.memory"},
	{regexp.MustCompile(`executable file not found|no such file or directory`), "correct command in extraPodSpec.mainContainer"},
	{regexp.MustCompile(`Insufficient [a-z]`), "lower the service's resources, or add nodes that have them"},
	{regexp.MustCompile(`didn't match Pod's node affinity/selector`), "correct nodeSelector and affinity in extraPodSpec, or label a node"},
	{regexp.MustCompile(`had untolerated taint`), "add tolerations to extraPodSpec, or free a node"},
}

// advised adds to a message what to do, if that is known.
func advised(message string) string {
	for _, a := range advices {
		if a.trouble.MatchString(message) {
			return message + "; " + a.fix
		}
	}
	return message
}
