package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"
)

// FreeAddress is a host and port of this machine on which nobody listens, and that
// the kernel gives to no connection that goes out before somebody does: it takes
// those from 32768 on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	address, err := FindAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// Each process looks in a hundred ports of its own, one after the other: what it was
// given and does not listen on yet is given to nobody else.
const firstPort, blocks, perBlock = 25000, 70, 100

var given atomic.Int64

// FindAddress is FreeAddress outside of tests.
func FindAddress() (string, error) {
	block := firstPort + os.Getpid()%blocks*perBlock
	for range perBlock {
		address := fmt.Sprintf("127.0.0.1:%d", block+int(given.Add(1))%perBlock)
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", fmt.Errorf("no free port between %d and %d", block, block+perBlock)
}

// Fetch returns a page; an answer other than 200 is an error.
func Fetch(url string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", url, response.Status)
	}
	return string(body), err
}
