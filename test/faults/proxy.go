package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// verdict says what happens to one request.
type verdict int

const (
	// pass forwards the request and its answer.
	pass verdict = iota
	// swallow executes the request and loses the answer with the connection.
	swallow
	// drop loses the connection before the request is executed.
	drop
	// fail answers 500 without executing the request.
	fail
	// throttle answers 429 with Retry-After.
	throttle
	// deny answers 401, as if the credentials had expired.
	deny
	// hold does not answer at all until the proxy closes.
	hold
)

// proxy stands between one run of the client and the API server. The client
// speaks plain HTTP to it; the proxy has the administrator's credentials.
type proxy struct {
	// Kubeconfig leads the client here.
	Kubeconfig string
	behaviour

	requests atomic.Int64
	forward  *httputil.ReverseProxy
	server   *http.Server
	closed   chan struct{}
	running  sync.WaitGroup

	mutex   sync.Mutex
	closing bool
	log     []string
}

// behaviour is what a proxy does with requests. Its functions are called by many
// goroutines, so they are complete before the first request comes.
type behaviour struct {
	// decide is asked about the n-th request, counted from 1; nil passes all.
	decide func(n int, r *http.Request) verdict
	// after is called when the n-th request has been executed; may be nil.
	after func(n int)
}

// newProxy starts a proxy. Close ends it.
func (h *harness) newProxy(dir string, b behaviour) (*proxy, error) {
	if b.decide == nil {
		b.decide = func(int, *http.Request) verdict { return pass }
	}
	target, err := url.Parse(h.cluster.Config.Host)
	if err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		Kubeconfig: filepath.Join(dir, "kubeconfig"),
		behaviour:  b,
		closed:     make(chan struct{}),
		forward: &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }, Transport: h.transport,
			FlushInterval: -1, ErrorLog: silent,
		},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: time.Minute, ErrorLog: silent}
	go func() { _ = p.server.Serve(listener) }()
	config := clientcmdapi.NewConfig()
	config.Clusters["faults"] = &clientcmdapi.Cluster{Server: "http://" + listener.Addr().String()}
	config.Contexts["faults"] = &clientcmdapi.Context{Cluster: "faults"}
	config.CurrentContext = "faults"
	return p, clientcmd.WriteToFile(*config, p.Kubeconfig)
}

// Close ends the proxy after everything that it forwarded has been executed.
func (p *proxy) Close() {
	p.mutex.Lock()
	p.closing = true
	p.mutex.Unlock()
	close(p.closed)
	_ = p.server.Close()
	p.running.Wait()
	_ = os.Remove(p.Kubeconfig)
}

var silent = log.New(io.Discard, "", 0)

// request returns what the n-th request was, for messages.
func (p *proxy) request(n int) string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if n > len(p.log) {
		return "no request"
	}
	return p.log[n-1]
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	if p.closing {
		p.mutex.Unlock()
		panic(http.ErrAbortHandler)
	}
	p.running.Add(1)
	defer p.running.Done()
	n := int(p.requests.Add(1))
	p.log = append(p.log, r.Method+" "+r.URL.RequestURI())
	p.mutex.Unlock()

	switch p.decide(n, r) {
	case pass:
		p.execute(&answer{ResponseWriter: w}, r, n)
	case swallow:
		p.execute(&answer{lost: true}, r, n)
		panic(http.ErrAbortHandler)
	case drop:
		panic(http.ErrAbortHandler)
	case fail:
		refuse(w, http.StatusInternalServerError, "InternalError")
	case throttle:
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "TooManyRequests")
	case deny:
		refuse(w, http.StatusUnauthorized, "Unauthorized")
	case hold:
		<-p.closed
		panic(http.ErrAbortHandler)
	}
}

// execute forwards a request. One that has reached the API server is executed
// even if the client dies meanwhile; only a watch ends with its client.
func (p *proxy) execute(a *answer, r *http.Request, n int) {
	a.header = func() {
		if p.after != nil {
			p.after(n)
		}
	}
	ctx := context.WithoutCancel(r.Context())
	if r.URL.Query().Get("watch") != "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
		go func() {
			select {
			case <-r.Context().Done():
			case <-p.closed:
			case <-ctx.Done():
			}
			cancel()
		}()
	}
	p.forward.ServeHTTP(a, r.WithContext(ctx))
}

// answer tells when the API server has answered, and may lose the answer.
type answer struct {
	http.ResponseWriter
	lost   bool
	header func()
	own    http.Header
}

func (a *answer) Header() http.Header {
	if !a.lost {
		return a.ResponseWriter.Header()
	}
	if a.own == nil {
		a.own = http.Header{}
	}
	return a.own
}

func (a *answer) WriteHeader(code int) {
	if code >= http.StatusOK {
		a.header()
	}
	if !a.lost {
		a.ResponseWriter.WriteHeader(code)
	}
}

func (a *answer) Write(data []byte) (int, error) {
	if a.lost {
		return len(data), nil
	}
	return a.ResponseWriter.Write(data)
}

// Unwrap lets the forwarder flush.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func refuse(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"injected by the proxy","reason":%q,"code":%d}`, reason, code)
}
