package main

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/modelcontextprotocol/go-sdk/mcp"
)

// asking connects an assistant to the questions of a fleet file.
func asking(t *testing.T, file string) *mcp.ClientSession {
	t.Helper()
	theirs, ours := mcp.NewInMemoryTransports()
	server := answers([]string{"--filename=" + file, "--kubeconfig=" + filepath.Join(t.TempDir(), "none")})
	if _, err := server.Connect(t.Context(), ours, nil); err != nil {
		t.Fatal(err)
	}
	session, err := mcp.NewClient(&mcp.Implementation{Name: "test"}, nil).Connect(t.Context(), theirs, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = session.Close() })
	return session
}

func call(t *testing.T, session *mcp.ClientSession, tool string, arguments map[string]any) (text string, failed bool) {
	t.Helper()
	result, err := session.CallTool(t.Context(), &mcp.CallToolParams{Name: tool, Arguments: arguments})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, content := range result.Content {
		out.WriteString(content.(*mcp.TextContent).Text)
	}
	return out.String(), result.IsError
}

func TestAnAssistantAsks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	file := filepath.Join(dir, "fleet.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const head = "apiVersion: wheelhouse.dev/v1alpha1\nkind: Fleet\nmetadata: {name: x}\n"
	write(head + "spec: {values: {platform: {nats: {enabled: false}}}, platforms: [{namespace: a}]}\n")
	session := asking(t, file)
	for _, tc := range []struct {
		tool      string
		arguments map[string]any
		says      string
		failed    bool
	}{
		{"validate", nil, `"valid": true`, false},
		{"images", nil, "dynamo-operator:1.0.0", false},
		{"rules", nil, `"id": "W-00"`, false},
		{"rules", map[string]any{"id": "C-19"}, "# C-19", false},
		// What an assistant was made to say is no flag.
		{"rules", map[string]any{"id": "--output=json"}, "--OUTPUT=JSON", true},
		{"explain", map[string]any{"object": "--filename=/etc/passwd"}, "Error: ", true},
		{"status", map[string]any{"namespaces": []string{"b"}}, "Error: ", true},
		{"plan", nil, "Error: ", true}, // there is no cluster
		{"doctor", nil, "Error: ", true},
	} {
		t.Run(tc.tool, func(t *testing.T) {
			if text, failed := call(t, session, tc.tool, tc.arguments); !strings.Contains(text, tc.says) || failed != tc.failed || strings.Contains(text, "root:") {
				t.Errorf("failed: %v, want %v and %s:\n%s", failed, tc.failed, tc.says, text)
			}
		})
	}

	// A fleet that lacks a chart is not completed: that would write a lock.
	write(head + "spec: {platforms: [{namespace: a}]}\n")
	if text, failed := call(t, session, "validate", nil); failed && !strings.Contains(text, "wheelhouse deps pull") || !strings.Contains(text, "nats") {
		t.Errorf("failed: %v\n%s", failed, text)
	}
	if _, err := os.Stat(filepath.Join(dir, "wheelhouse.lock")); err == nil {
		t.Error("a question has written a lock")
	}
}

// Answers are of the fleet, the cluster and the user that the server was started
// with, values of its command line included.
func TestAnswersAreGivenAsTheServerWasStarted(t *testing.T) {
	c, _, err := newRoot(nil, strings.NewReader(""), io.Discard, io.Discard).Find([]string{"mcp"})
	if err != nil {
		t.Fatal(err)
	}
	given := []string{"-f", "a.yaml", "--as", "limited", "--as-group", "x", "--as-group", "y", "--context=prod", "--set", "platform.a=1,2", "--set", "platform.b=3"}
	if err := c.ParseFlags(given); err != nil {
		t.Fatal(err)
	}
	want := []string{"--as-group=x", "--as-group=y", "--as=limited", "--context=prod", "--filename=a.yaml", "--set=platform.a=1,2", "--set=platform.b=3"}
	got := startedWith(c)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// The tools are the commands that change nothing, and say so.
func TestNoToolOfAnAssistantWrites(t *testing.T) {
	session := asking(t, "fleet.yaml")
	tools, err := session.ListTools(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	reading := map[string]bool{"validate": true, "plan": true, "status": true, "doctor": true, "upgrade-check": true, "history": true, "images": true, "explain": true, "rules": true}
	for _, tool := range tools.Tools {
		if !reading[tool.Name] || tool.Annotations == nil || !tool.Annotations.ReadOnlyHint {
			t.Errorf("tool %s: %+v", tool.Name, tool.Annotations)
		}
	}
	if len(tools.Tools) != len(reading) {
		t.Errorf("%d tools, want %d", len(tools.Tools), len(reading))
	}
}
