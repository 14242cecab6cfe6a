package check

import (
	"maps"
	"slices"

	"github.com/wheelhouse-dev/wheelhouse/internal/fleet"
)

// Rule is one thing that must hold, with all that its page in docs/rules and
// its test need.
type Rule struct {
	// ID is stable; C-nn are the coupling rules of the charts, W-nn the manager's.
	ID       string
	Severity Severity
	// Says is the rule in one sentence.
	Says string
	// Why says what breaks otherwise.
	Why string
	// Fix is what to do, unless a problem knows better.
	Fix string
	// When picks the releases that the rule is about; nil: all. Without one of
	// them the rule is not run, and none of its facts is read.
	When func(fleet.Release) bool
	// WithoutCRDs limits the rule to fleets that install no CRDs.
	WithoutCRDs bool
	// Find returns what breaks the rule as far as the fleet tells. It is nil
	// where only the cluster does.
	Find func(Input) []fleet.Problem
	// Live returns what breaks the rule as far as the facts of Needs tell.
	Live  func(Input) []fleet.Problem
	Needs []Fact
	// Names lists the objects that Live asks for by name, for one release.
	Names func(fleet.Release) []string
	// Fails and Passes show the rule and are its test.
	Fails, Passes []Example
}

// Example is a situation that a rule judges.
type Example struct {
	// Fleet is what a fleet file has below spec.
	Fleet string
	// Files are files that the charts have besides their own, or instead, by
	// path: a template, a dependency in charts/.
	Files map[string]string
	// Images is what registries say, if they are asked.
	Images map[string]string
	// Signatures is what the lock says of the images that must be signed.
	Signatures map[string]string
	// Sealed is the values file sealed.yaml, in which everything is encrypted, as
	// it is decrypted.
	Sealed string
	// Cluster is what is known of the cluster; nil offline.
	Cluster *Cluster
}

// renders is one more template of the platform chart, as a dependency or a
// chart of one's own would bring it.
func renders(manifest string) map[string]string {
	return map[string]string{"platform/templates/extra.yaml": manifest}
}

// Page is where the rule is explained, relative to the repository.
func (r Rule) Page() string { return "docs/rules/" + r.ID + ".md" }

func (r Rule) applies(set *fleet.Set) bool {
	if r.WithoutCRDs && slices.ContainsFunc(set.Releases, func(rel fleet.Release) bool { return rel.Chart == fleet.ChartCRDs }) {
		return false
	}
	return r.When == nil || slices.ContainsFunc(set.Releases, r.When)
}

// A new rule is one value and one line in one of these lists.
var (
	// valueRules look at values, before anything is rendered.
	valueRules = []Rule{
		credentialsByReference,
		valuesMatchSchema,
		keysHaveTheirNames,
		dependenciesAtHand,
		definitionsComeFirst,
		definitionsAreNewEnough,
		onePlatformPerNamespace,
		scopesDoNotMix,
		scopeIsStatedOnce,
		targetIsStatedOnce,
		platformsLiveApart,
		natsIsInstalledWhereAnnounced,
		etcdIsInstalledWhereAnnounced,
		etcdDiscoveryHasEtcd,
		domainIsTheClusters,
		certManagerIsThere,
		externalCertificateIsUsable,
		schedulersAreInstalledOnce,
		groveLetsKAIWork,
		operatorIsOfItsChart,
		sshKeyIsNamed,
		pullSecretsExist,
		ingressIsComplete,
		sameClaim,
		sameBasePath,
		checkpointsAreOnClaims,
		noSharedFolderOfNodes,
		nodesGetTheProfile,
		agentsServeTheirNamespace,
		agentsAreAskedThroughKubernetes,
		runtimesKnowTheirFiles,
		claimsOutliveTheirRelease, enginesLiveApart,
		versionsGoTogether,
	}
	// objectRules look at rendered objects.
	objectRules = []Rule{
		objectsAreKubernetes,
		objectNamesFit,
		objectsAreUnique,
		addressesAreRendered,
		noHooks,
		definitionsFitAnyTool,
		secretsAreNotBlank,
		agentsHaveTheirOwnNetwork,
		imagesComeFromTheMirror,
		readinessIsSaidRight,
		sealedEndsInSecrets,
		confinedFleetsStayInside,
		renderingIsRepeatable,
		imagesHaveVersions,
		productionImagesHaveVersions,
		imagesAreSigned,
		signedImagesHaveDigests,
	}
	// registryRules look at rendered objects and at what registries have.
	registryRules = []Rule{
		imagesAreInTheirRegistries,
	}
	// liveRules only look at the cluster.
	liveRules = []Rule{
		noForeignOperator,
		operatorsAreVouchedFor,
		classesExist,
		claimsCanBeServed,
		namespacesAdmitAgents,
		webhooksAnswer,
		queuesExist,
		kindsAreServed,
		fieldsAreServed,
		monitorsAreServed,
		severalNodesHaveAnOrchestrator,
		workersRunTheirOwnImage,
		operatorKnowsCheckpoints,
		checkpointsFitTheirImage,
		checkpointsHaveAnAgent,
		severalNodesShareTheClaim,
		nodesFitTheAgent,
	}
	// upgradeRules look at what releases go from and to, which is read last: it
	// stands in their records, and most releases stay as they are.
	upgradeRules = []Rule{
		upgradesAreNotBlocked,
		upgradesAreKnown,
	}
)

// Rules lists every rule.
func Rules() []Rule { return append(asking(), upgradeRules...) }

// asking lists the rules whose facts are asked of the cluster.
func asking() []Rule { return slices.Concat(valueRules, objectRules, registryRules, liveRules) }

// Wanted is what the live rules want to know of a cluster, for one fleet.
type Wanted struct {
	Facts map[Fact]bool
	// Names lists the Secrets, Services and claims that are asked for by name.
	Names map[Fact][]string
	// CRDs are the definitions whose owners are asked for.
	CRDs []string
	// Namespaces are those of the fleet, for whoever may not list the cluster.
	Namespaces []string
}

// OwnGroup is the API group of the kinds that the fleet brings along.
const OwnGroup = "nvidia.com"

// ourCRDs are the kinds that operators write, and so what they could fight over.
var ourCRDs = []string{"dynamographdeployments.nvidia.com", "dynamocomponentdeployments.nvidia.com"}

// Wants collects the facts for the rules that apply to a set.
func Wants(set *fleet.Set) Wanted {
	out := Wanted{Facts: map[Fact]bool{}, Names: map[Fact][]string{}, CRDs: ourCRDs}
	for _, fact := range []Fact{FactOperators, FactInstallations, FactCRDs, FactWebhooks} {
		out.Facts[fact] = true // who else is there is always told
	}
	names, namespaces := map[Fact]map[string]bool{}, map[string]bool{}
	for _, rel := range set.Releases {
		for _, namespace := range rel.Namespaces() {
			namespaces[namespace] = true
		}
	}
	for _, rule := range asking() {
		if rule.Live == nil || !rule.applies(set) {
			continue
		}
		for _, fact := range rule.Needs {
			out.Facts[fact] = true
			if rule.Names == nil || !fact.named() {
				continue
			}
			if names[fact] == nil {
				names[fact] = map[string]bool{}
			}
			for _, rel := range set.Releases {
				for _, name := range rule.Names(rel) {
					names[fact][name] = true
				}
			}
		}
	}
	for fact, found := range names {
		out.Names[fact] = slices.Sorted(maps.Keys(found))
	}
	out.Namespaces = slices.Sorted(maps.Keys(namespaces))
	return out
}
