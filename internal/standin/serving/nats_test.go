package serving

import (
	"bufio"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
)

// What the real programs connect to NATS for, with KV events on NATS, which is
// the default, and on ZMQ.
func TestNATSIsNeededWhereTheRealProgramsNeedIt(t *testing.T) {
	const events, worker = "KV events", "the runtime of every dynamo_worker"
	for args, want := range map[string]struct{ nats, zmq string }{
		"-m dynamo.frontend":                                                {},
		"-m dynamo.frontend --router-mode round-robin":                      {},
		"-m dynamo.frontend --router-mode kv":                               {events, ""},
		"-m dynamo.frontend --router-mode kv --no-kv-events":                {},
		"-m dynamo.vllm --model m":                                          {events, ""},
		"-m dynamo.vllm --is-prefill-worker":                                {events, ""},
		"-m dynamo.vllm --is-decode-worker":                                 {},
		"-m dynamo.vllm --disaggregation-mode decode":                       {},
		"-m dynamo.vllm --no-enable-prefix-caching":                         {},
		`-m dynamo.vllm --kv-events-config {"publisher":"zmq"}`:             {},
		`-m dynamo.vllm --kv-events-config {"enable_kv_cache_events":true}`: {events, ""},
		"-m dynamo.sglang --model-path m":                                   {},
		`-m dynamo.sglang --kv-events-config {"publisher":"zmq"}`:           {events, ""},
		"-m dynamo.trtllm --model-path m":                                   {},
		"-m dynamo.trtllm --publish-events-and-metrics":                     {events, ""},
		"-m dynamo.mocker --model-path m":                                   {events, ""},
		"-m dynamo.planner.planner_sla":                                     {worker, worker},
		"-m dynamo.router --endpoint a.b.c":                                 {worker, worker},
		"-m dynamo.global_router":                                           {worker, worker},
		"hello_world.py":                                                    {worker, worker},
		"components/processor.py --model m":                                 {worker, worker},
		"-m dynamo.sglang --request-plane nats":                             {"requests", "requests"},
	} {
		for plane, want := range map[string]string{"": want.nats, "nats": want.nats, "zmq": want.zmq} {
			c, err := ParsePython(strings.Fields(args), func(name string) string { return map[string]string{"DYN_EVENT_PLANE": plane}[name] })
			if err != nil {
				t.Errorf("%s: %v", args, err)
			}
			if c.NATSFor != want {
				t.Errorf("%s with the event plane %q: NATS for %q, want %q", args, plane, c.NATSFor, want)
			}
		}
	}
}

func TestWithoutNATSAProgramThatNeedsItEnds(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := "nats://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c := Config{Role: RoleIdle, Program: "hello_world.py", NATSFor: "the runtime of every dynamo_worker", NATSServer: nobody}
	err = Run(t.Context(), c, func(string) string { return "" }, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "failed to connect to NATS at "+nobody) {
		t.Errorf("got %v", err)
	}
}

// A connection is one that the server has answered, not only accepted.
func TestAConnectionToNATSIsHeld(t *testing.T) {
	server, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = server.Close() }()
	ended := make(chan error, 1)
	go func() { ended <- greet(server) }()

	closeNATS, err := connectNATS(Config{Program: "x", NATSFor: "KV events", NATSServer: "nats://" + server.Addr().String()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		t.Errorf("the connection is gone: %v", err)
	default:
	}
	closeNATS()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// greet is as much of a server as a client needs to be connected. It returns
// when the client has left.
func greet(server net.Listener) error {
	connection, err := server.Accept()
	if err != nil {
		return err
	}
	defer func() { _ = connection.Close() }()
	if _, err := fmt.Fprint(connection, `INFO {"server_id":"test","version":"2.10.0","max_payload":1048576,"headers":true}`+"\r\n"); err != nil {
		return err
	}
	for lines := bufio.NewScanner(connection); lines.Scan(); {
		if lines.Text() == "PING" {
			if _, err := fmt.Fprint(connection, "PONG\r\n"); err != nil {
				return err
			}
		}
	}
	return nil
}
