// Command workload is what the node's test runs in a pod: a small server, and a few questions to ask from inside.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 0:
		return serve()
	case args[0] == "lookup":
		addresses, err := net.DefaultResolver.LookupHost(context.Background(), args[1])
		fmt.Println(addresses)
		return err
	case args[0] == "get":
		return get(&http.Client{Timeout: 5 * time.Second}, args[1], "")
	case args[0] == "api":
		return askAPI()
	case args[0] == "write":
		return os.WriteFile(args[1], []byte("written by the pod\n"), 0o644)
	}
	return fmt.Errorf("unknown %v", args)
}

func serve() error {
	fmt.Println("serving with", os.Getenv("NVIDIA_VISIBLE_DEVICES"))
	return http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		fmt.Fprintln(w, "hello from", name)
	}))
}

// askAPI asks the API server for its version, as any client in a pod would.
func askAPI() error {
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return err
	}
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return get(client, "https://kubernetes.default.svc/version", string(token))
}

func get(client *http.Client, url, token string) error {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	_, err = io.Copy(os.Stdout, response.Body)
	return err
}
