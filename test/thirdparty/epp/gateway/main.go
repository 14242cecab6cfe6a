// Command gateway stands in for a gateway of the Gateway API: for each request of
// its command line it asks an endpoint picker, in Envoy's protocol, where to send a
// chat, sends it there, and prints the endpoint and the answer.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extproc "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// destination is the header in which a picker says its answer.
const destination = "x-gateway-destination-endpoint"

// patience is that with one request.
const patience = 20 * time.Second

func main() {
	picker := flag.String("picker", "", "address of the picker")
	model := flag.String("model", "", "model to ask for")
	requests := flag.Int("requests", 1, "how many requests to make, one after the other")
	flag.Parse()
	if err := run(*picker, *model, *requests); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(address, model string, requests int) error {
	// A picker has a certificate that it made itself.
	insecure := credentials.NewTLS(&tls.Config{InsecureSkipVerify: true})
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure))
	if err != nil {
		return err
	}
	picker := extproc.NewExternalProcessorClient(connection)
	for range requests {
		if err := serve(picker, model); err != nil {
			return errors.Join(err, connection.Close())
		}
	}
	return connection.Close()
}

// serve is one request, from its arrival to its answer.
func serve(picker extproc.ExternalProcessorClient, model string) error {
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	body, err := json.Marshal(map[string]any{"model": model, "messages": []any{map[string]string{"role": "user", "content": "hello"}}})
	if err != nil {
		return err
	}
	headers, changed, err := pick(ctx, picker, body)
	if err != nil {
		return fmt.Errorf("ask the picker: %w", err)
	}
	answer, err := send(ctx, headers, changed)
	if err != nil {
		return fmt.Errorf("send the request to %s: %w", headers.Get(destination), err)
	}
	fmt.Printf("%s %s\n", headers.Get(destination), answer)
	return nil
}

// pick returns the headers that the picker sets, and the body as it wants it sent.
func pick(ctx context.Context, picker extproc.ExternalProcessorClient, body []byte) (set http.Header, changed []byte, err error) {
	stream, err := picker.Process(ctx)
	if err != nil {
		return nil, nil, err
	}
	set = http.Header{}
	header := func(key, value string) *core.HeaderValue { return &core.HeaderValue{Key: key, RawValue: []byte(value)} }
	headers := []*core.HeaderValue{
		header(":method", http.MethodPost), header(":path", "/v1/chat/completions"), header("content-type", "application/json"),
	}
	err = stream.Send(&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extproc.HttpHeaders{Headers: &core.HeaderMap{Headers: headers}},
	}})
	if err == nil {
		err = stream.Send(&extproc.ProcessingRequest{Request: &extproc.ProcessingRequest_RequestBody{
			RequestBody: &extproc.HttpBody{Body: body, EndOfStream: true},
		}})
	}
	for err == nil {
		var response *extproc.ProcessingResponse
		if response, err = stream.Recv(); err != nil {
			break
		}
		if refused := response.GetImmediateResponse(); refused != nil {
			return nil, nil, fmt.Errorf("it answers %d: %s", refused.GetStatus().GetCode(), refused.GetBody())
		}
		for _, option := range response.GetRequestHeaders().GetResponse().GetHeaderMutation().GetSetHeaders() {
			set.Set(option.GetHeader().GetKey(), string(option.GetHeader().GetRawValue()))
		}
		mutation := response.GetRequestBody().GetResponse().GetBodyMutation()
		changed = append(changed, mutation.GetStreamedResponse().GetBody()...)
		if mutation.GetStreamedResponse().GetEndOfStream() {
			return set, changed, stream.CloseSend()
		}
	}
	return nil, nil, err
}

func send(ctx context.Context, headers http.Header, body []byte) (string, error) {
	endpoint := headers.Get(destination)
	if endpoint == "" {
		return "", errors.New("the picker named no endpoint")
	}
	// Of several, the others are for a second try.
	first, _, _ := strings.Cut(endpoint, ",")
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+first+"/v1/chat/completions", strings.NewReader(string(body)))
	if err != nil {
		return "", err
	}
	for name := range headers {
		if strings.HasPrefix(name, "X-") {
			request.Header.Set(name, headers.Get(name))
		}
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return strings.TrimSpace(string(answer)), err
}
