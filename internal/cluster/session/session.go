// Package session is the one connection to a cluster that everything of a run
// shares. Requests are repeated, limited and fenced here, where they leave.
package session

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"helm.sh/helm/v4/pkg/action"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/wheelhouse-dev/wheelhouse/internal/chart"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

// probeTimeout bounds the first request, so that a wrong address is reported
// and not waited for.
const probeTimeout = 10 * time.Second

// Session is one connection to one cluster. It shares discovery, the REST
// mapper, clients and the HTTP connection between all releases of a run, and is
// safe for concurrent use.
type Session struct {
	// Kube, Dynamic and Metadata are the shared clients.
	Kube     kubernetes.Interface
	Dynamic  dynamic.Interface
	Metadata metadata.Interface
	// Discovery and Mapper tell what the cluster serves, from one cache.
	Discovery discovery.CachedDiscoveryInterface
	Mapper    meta.ResettableRESTMapper

	config  *rest.Config
	retries *retries
	loader  clientcmd.ClientConfig

	capsMutex sync.Mutex
	caps      *chart.Capabilities
}

// The Helm SDK and kubectl's builders take their clients from here.
var _ genericclioptions.RESTClientGetter = (*Session)(nil)

// Connect reads kubectl's configuration and makes sure that the cluster answers.
func Connect(ctx context.Context, flags *genericclioptions.ConfigFlags) (*Session, error) {
	loader := flags.ToRawKubeConfigLoader()
	if raw, err := loader.RawConfig(); err == nil && unchosen(raw, flags) {
		return nil, fmt.Errorf("the kubeconfig has no current context; there are: %s; choose one with --context", strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", "))
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, explainConfig(err)
	}
	s, err := New(config)
	if err != nil {
		return nil, err
	}
	s.loader = loader
	return s, s.probe(ctx)
}

// unchosen reports whether there are contexts and none is chosen: the client
// library would then talk to a server on this machine.
func unchosen(raw clientcmdapi.Config, flags *genericclioptions.ConfigFlags) bool {
	named := func(flag *string) bool { return flag != nil && *flag != "" }
	return len(raw.Contexts) > 0 && raw.CurrentContext == "" && !named(flags.Context) && !named(flags.APIServer) && !named(flags.ClusterName)
}

// New opens a session on a client configuration.
func New(config *rest.Config) (*Session, error) {
	config = rest.CopyConfig(config)
	// The API server's priority and fairness limits us; a limit here would only
	// add waiting.
	config.QPS = -1
	config.UserAgent = "wheelhouse/" + version.Version
	config.WarningHandler, config.WarningHandlerWithContext = nil, collectWarnings{}

	transport, err := rest.TransportFor(config)
	if err != nil {
		return nil, explainConfig(err)
	}
	repeating := newRetries(transport)
	config, err = through(repeating, config)
	if err != nil {
		return nil, explainConfig(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, explainConfig(err)
	}
	typed := rest.CopyConfig(config)
	// What is sent must be readable, to find out whether it has arrived.
	typed.ContentType = runtime.ContentTypeJSON
	typed.AcceptContentTypes = runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON
	kube, err := kubernetes.NewForConfigAndClient(typed, client)
	if err != nil {
		return nil, explainConfig(err)
	}
	dynamicClient, err := dynamic.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, explainConfig(err)
	}
	metadataClient, err := metadata.NewForConfigAndClient(config, client)
	if err != nil {
		return nil, explainConfig(err)
	}
	cached := memory.NewMemCacheClient(kube.Discovery())
	return &Session{
		Kube: kube, Dynamic: dynamicClient, Metadata: metadataClient,
		Discovery: cached, Mapper: restmapper.NewDeferredDiscoveryRESTMapper(cached),
		config: config, retries: repeating,
	}, nil
}

// through makes a configuration whose clients all use one transport, which has
// the certificates and credentials in it.
func through(transport http.RoundTripper, config *rest.Config) (*rest.Config, error) {
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, err
	}
	return &rest.Config{
		Host: base.String(), APIPath: config.APIPath, ContentConfig: config.ContentConfig, Timeout: config.Timeout,
		QPS: config.QPS, UserAgent: config.UserAgent, WarningHandlerWithContext: config.WarningHandlerWithContext, Transport: transport,
	}, nil
}

// Broken closes when the session is of no further use: the credentials are no
// longer accepted, or the API server is gone. Cause says which.
func (s *Session) Broken() <-chan struct{} { return s.retries.broken }

// Cause says why the session is broken; nil if it is not.
func (s *Session) Cause() error {
	s.retries.mutex.Lock()
	defer s.retries.mutex.Unlock()
	return s.retries.cause
}

// Fence is what every request that writes passes.
func (s *Session) Fence() *Fence { return s.retries.fence }

// Break declares the session of no further use.
func (s *Session) Break(cause error) { s.retries.breakOff(cause) }

// Tell makes trouble with the API server that lasts known to a person.
func (s *Session) Tell(tell func(message string)) { s.retries.tell.Store(&tell) }

// probe asks for the version. A server that answers at all, with errors too, is
// waited for.
func (s *Session) probe(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(probeTimeout, func() {
		if !s.retries.answered.Load() {
			cancel(context.DeadlineExceeded)
		}
	})
	defer timer.Stop()
	_, err := s.Kube.Discovery().RESTClient().Get().AbsPath("/version").DoRaw(ctx)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return s.Explain("reach the cluster", err)
}

// Describe names the cluster for messages: its address, without a name or
// password that somebody wrote into it.
func (s *Session) Describe() string {
	address, err := url.Parse(s.config.Host)
	if err != nil || address.User == nil {
		return s.config.Host
	}
	address.User = nil
	return address.String()
}

// ToRESTConfig returns a copy of the client configuration: kubectl's builders
// write into theirs. All copies share one transport.
func (s *Session) ToRESTConfig() (*rest.Config, error) { return rest.CopyConfig(s.config), nil }

// ToDiscoveryClient returns the shared discovery cache.
func (s *Session) ToDiscoveryClient() (discovery.CachedDiscoveryInterface, error) {
	return s.Discovery, nil
}

// ToRESTMapper returns the shared mapper.
func (s *Session) ToRESTMapper() (meta.RESTMapper, error) { return s.Mapper, nil }

// ToRawKubeConfigLoader returns what the session was configured from.
func (s *Session) ToRawKubeConfigLoader() clientcmd.ClientConfig {
	if s.loader == nil {
		return clientcmd.NewDefaultClientConfig(*clientcmdEmpty(), &clientcmd.ConfigOverrides{})
	}
	return s.loader
}

// Capabilities is what the cluster offers to templates. It is read once and
// again after Refresh.
func (s *Session) Capabilities(_ context.Context) (*chart.Capabilities, error) {
	s.capsMutex.Lock()
	defer s.capsMutex.Unlock()
	if s.caps != nil {
		return s.caps, nil
	}
	serverVersion, err := s.Discovery.ServerVersion()
	if err != nil {
		return nil, s.Explain("read the cluster's version", err)
	}
	apis, err := action.GetVersionSet(s.Discovery)
	if err != nil {
		return nil, s.Explain("list the cluster's APIs", err)
	}
	caps := chart.OfflineCapabilities()
	caps.APIVersions = apis
	caps.KubeVersion.Version = serverVersion.GitVersion
	caps.KubeVersion.Major = serverVersion.Major
	caps.KubeVersion.Minor = serverVersion.Minor
	s.caps = caps
	return caps, nil
}

// Refresh forgets what is known about the cluster's APIs, after CRDs changed.
func (s *Session) Refresh() {
	s.capsMutex.Lock()
	defer s.capsMutex.Unlock()
	s.caps = nil
	s.Mapper.Reset()
}

// VersionOf is the API version by which the cluster serves a kind today: the given
// one or, if that has gone, the one that the cluster prefers; empty if the kind has
// gone. An API that is registered and does not answer is an error: nobody can tell.
func (s *Session) VersionOf(apiVersion, kind string) (string, error) {
	gvk := groupVersionKind(apiVersion, kind)
	m, err := s.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if meta.IsNoMatchError(err) {
		m, err = s.Mapper.RESTMapping(gvk.GroupKind())
	}
	switch {
	case meta.IsNoMatchError(err):
		return "", s.answers(gvk.Group)
	case err != nil:
		return "", fmt.Errorf("find the resource of %s %s: %w", apiVersion, kind, err)
	}
	return m.GroupVersionKind.GroupVersion().String(), nil
}

// answers reports a version of a group that is registered and does not answer: a kind
// that is nowhere else may be in it.
func (s *Session) answers(group string) error {
	_, _, err := s.Discovery.ServerGroupsAndResources()
	silent, partly := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partly {
		return s.Explain("list the cluster's APIs", err)
	}
	for gv, why := range silent {
		if gv.Group == group && !apierrors.IsNotFound(why) {
			return fmt.Errorf("the API %s is registered and does not answer, so that nobody can tell what of it there is: %w; see `kubectl get apiservices`", gv, why)
		}
	}
	return nil
}

// Mapping finds the resource of a kind.
func (s *Session) Mapping(apiVersion, kind string) (*meta.RESTMapping, error) {
	gvk := groupVersionKind(apiVersion, kind)
	m, err := s.Mapper.RESTMapping(gvk.GroupKind(), gvk.Version)
	if err != nil {
		return nil, fmt.Errorf("find the resource of %s %s: %w", apiVersion, kind, err)
	}
	return m, nil
}
