package doctor

// Checks are all of them. One thing breaks another that is further down, never one
// that is further up.
func Checks() []Check {
	return []Check{
		notPermitted,
		// What everything stands on.
		nodeNotReady, clockSkew, namespaceTerminating, dnsBroken,
		// Who is in whose way.
		secondOperator, definitionsOlder, operatorCutOff, operatorWithoutRights,
		// What a pod needs before it can start.
		storageClassMissing, noDefaultStorageClass, claimMissing, claimPending,
		runtimeClassMissing, agentWithoutCapabilities, podsForbidden, quotaExceeded,
		noMatchingNode, imageNotPulled, seccompMissing, agentPreflight,
		natsWithoutStorage,
		// What shows it.
		podNotReady, quorumLost, workloadNotReady,
		certificateExpired, certificateWrong, webhookUnanswered,
		releaseStuck, releaseFailed, notInstalled,
	}
}
