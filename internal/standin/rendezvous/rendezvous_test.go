package rendezvous

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestMembersAreCountedWhileTheySpeak(t *testing.T) {
	server := httptest.NewServer(new(Meeting).Handler())
	defer server.Close()
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	for _, rank := range []string{"1", "2", "2"} {
		go func() { _ = Join(ctx, server.URL, rank) }()
	}
	deadline := time.Now().Add(30 * time.Second)
	for n := 0; n != 2; {
		var err error
		if n, err = Members(t.Context(), server.URL); err != nil || time.Now().After(deadline) {
			t.Fatalf("%d members, %v, want 2", n, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestAMemberEndsWithItsLeader(t *testing.T) {
	server := httptest.NewServer(new(Meeting).Handler())
	ended := make(chan error, 1)
	go func() { ended <- Join(t.Context(), server.URL, "1") }()
	for n := 0; n == 0; time.Sleep(10 * time.Millisecond) {
		var err error
		if n, err = Members(t.Context(), server.URL); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "the leader has gone") {
		t.Errorf("got %v, want that the leader has gone", err)
	}
}

func TestRay(t *testing.T) {
	server := httptest.NewServer(new(Meeting).Handler())
	defer server.Close()
	if err := ray(t.Context(), []string{"health-check", "--address", server.URL}); err != nil {
		t.Error(err)
	}
	for _, args := range [][]string{{}, {"stop"}, {"health-check", "--address", "127.0.0.1:1"}, {"start", "--address=127.0.0.1:1", "--block"}} {
		if err := ray(t.Context(), args); err == nil {
			t.Errorf("ray %v succeeds", args)
		}
	}
}
