package serving

import (
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
)

const natsConnectTimeout = 5 * time.Second

// usesKVEvents says of the runtime's own programs whether they publish or follow
// KV events. A program that is not here is taken for one that is declared with
// dynamo_worker.
var usesKVEvents = map[string]func(s *settings) bool{
	"dynamo.frontend": func(s *settings) bool {
		return s.routerMode() == "kv" && (!s.flags.has("no-kv-events") || s.flags.has("router-replica-sync"))
	},
	"dynamo.vllm":   cachesPrefixes,
	"dynamo.mocker": cachesPrefixes,
	"dynamo.sglang": func(s *settings) bool { return s.flags.value("kv-events-config") != "" },
	"dynamo.trtllm": func(s *settings) bool { return s.flags.has("publish-events-and-metrics") },
}

// cachesPrefixes: vLLM publishes unless it is told otherwise, and what decodes
// never does.
func cachesPrefixes(s *settings) bool {
	if s.flags.has("is-decode-worker") || s.flags.value("disaggregation-mode") == "decode" || s.flags.has("no-enable-prefix-caching") {
		return false
	}
	text := s.flags.value("kv-events-config")
	if text == "" {
		return true
	}
	var events struct {
		Enabled bool `json:"enable_kv_cache_events"`
	}
	return json.Unmarshal([]byte(text), &events) == nil && events.Enabled
}

// natsFor is what a program connects to NATS for when it starts, as the real
// ones do; "" if it does not.
func (s *settings) natsFor(program string) string {
	requests := cmp.Or(s.flags.value("request-plane"), s.getenv("DYN_REQUEST_PLANE"))
	events := cmp.Or(s.flags.value("event-plane"), s.getenv("DYN_EVENT_PLANE"), "nats")
	uses, known := usesKVEvents[program]
	switch {
	case requests == "nats":
		return "requests"
	case !known:
		return "the runtime of every dynamo_worker"
	case uses(s) && events == "nats":
		return "KV events"
	}
	return ""
}

// connectNATS keeps a connection for as long as the process lives. A server that
// is away later is waited for; one that is away now ends the process.
func connectNATS(c Config, log *slog.Logger) (closeConnection func(), err error) {
	if c.NATSFor == "" {
		return func() {}, nil
	}
	connection, err := nats.Connect(c.NATSServer, nats.Name(c.Program), nats.Timeout(natsConnectTimeout), nats.MaxReconnects(-1),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { log.Warn("lost the connection to NATS", "error", err) }))
	if err != nil {
		return nil, fmt.Errorf("failed to connect to NATS at %s, needed for %s: %w; verify that the NATS server runs and can be reached", c.NATSServer, c.NATSFor, err)
	}
	log.Info("connected to NATS", "server", connection.ConnectedUrlRedacted(), "for", c.NATSFor)
	return connection.Close, nil
}
