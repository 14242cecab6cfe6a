package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func (a *app) newMCP() *cobra.Command {
	c := &cobra.Command{
		Use:   "mcp",
		Short: "Answer questions about the fleet over the Model Context Protocol",
		Long: `Serve the Model Context Protocol on the standard streams, so that an assistant can
ask about this fleet and its cluster: validate, plan, status, doctor, upgrade-check,
history, images, explain, rules. No tool writes, to the cluster or to a file, and none reads
another fleet file, kubeconfig or context than this command was started with.`,
		Example: `  wheelhouse mcp -f clusters/prod/fleet.yaml --context prod`,
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			server := answers(startedWith(c))
			return server.Run(c.Context(), &mcp.IOTransport{Reader: io.NopCloser(a.in), Writer: notClosed{a.out}})
		},
	}
	a.fleetFlags(c)
	return c
}

// notClosed is a stream that others go on using.
type notClosed struct{ io.Writer }

func (notClosed) Close() error { return nil }

// startedWith are the flags that this command was given. Every answer is given
// with them: of the same fleet and cluster, and by the same user.
func startedWith(c *cobra.Command) (out []string) {
	c.Flags().Visit(func(f *pflag.Flag) {
		values := []string{f.Value.String()}
		if list, several := f.Value.(pflag.SliceValue); several {
			values = list.GetSlice()
		}
		for _, value := range values {
			out = append(out, "--"+f.Name+"="+value)
		}
	})
	return out
}

// What tools are asked with.
type (
	nothing struct{}
	tenants struct {
		Namespaces []string `json:"namespaces,omitempty" jsonschema:"only these namespaces of the fleet; all without"`
	}
	field struct {
		Object     string   `json:"object" jsonschema:"KIND/NAME, such as Deployment/dynamo-platform-nats"`
		Field      string   `json:"field,omitempty" jsonschema:"the path of a field, such as spec.replicas; the whole object without"`
		Namespaces []string `json:"namespaces,omitempty" jsonschema:"only these namespaces of the fleet; all without"`
	}
	rule struct {
		ID string `json:"id,omitempty" jsonschema:"such as C-19; a list of all rules without"`
	}
)

func answers(given []string) *mcp.Server {
	server := mcp.NewServer(&mcp.Implementation{Name: "wheelhouse", Version: version.Version}, nil)
	of := func(command string, names []string) []string {
		args := append([]string{command, "--output=json"}, given...)
		for _, name := range names {
			args = append(args, "--namespace="+name)
		}
		return args
	}
	ask(server, "validate", "Check the fleet file without the cluster: every problem with file, line and rule.",
		func(nothing) []string { return of("validate", nil) })
	ask(server, "plan", "What apply would do, object by object, by a server-side dry run. Exit code 2: something would change.",
		func(in tenants) []string { return of("plan", in.Namespaces) })
	ask(server, "status", "Releases, whether they are ready and as the file wants them, and graphs. Exit code 1: something is wrong.",
		func(in tenants) []string { return of("status", in.Namespaces) })
	ask(server, "doctor", "What is wrong with the fleet's platforms on the cluster, causes before what they explain. Exit code 1: something is.",
		func(in tenants) []string { return ofCluster(of("doctor", in.Namespaces)) })
	ask(server, "upgrade-check", "What is known of the ways from installed versions to those that the file wants. Exit code 2: not all are safe.",
		func(nothing) []string { return ofCluster(of("upgrade-check", nil)) })
	ask(server, "history", "The revisions of the fleet, and why some failed.",
		func(in tenants) []string { return of("history", in.Namespaces) })
	ask(server, "images", "The container images that the releases use.",
		func(nothing) []string { return of("images", nil) })
	ask(server, "explain", "Which values decide a field of an object, with the file and line that set them.",
		func(in field) []string {
			args := append(of("explain", in.Namespaces), "--", in.Object)
			if in.Field != "" {
				args = append(args, in.Field)
			}
			return args
		})
	ask(server, "rules", "The rules that fleets are checked against: why each is there, and what mends it.",
		func(in rule) []string {
			if in.ID == "" {
				return []string{"rules", "--output=json"}
			}
			return []string{"rules", "--", in.ID}
		})
	return server
}

// ofCluster are the arguments for a command that looks at the cluster, and reads no
// values: it always gets the fleet file, since it could do without.
func ofCluster(args []string) []string {
	args = slices.DeleteFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--set") })
	if !slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, "--filename=") }) {
		args = append(args, "--filename="+usualFile)
	}
	return args
}

// ask adds a tool that runs a command of ours which only reads.
func ask[In any](server *mcp.Server, name, says string, args func(In) []string) {
	tool := &mcp.Tool{Name: name, Description: says, Annotations: &mcp.ToolAnnotations{ReadOnlyHint: true}}
	mcp.AddTool(server, tool, func(ctx context.Context, _ *mcp.CallToolRequest, in In) (*mcp.CallToolResult, any, error) {
		var out, messages bytes.Buffer
		code := execute(ctx, args(in), strings.NewReader(""), &out, &messages, readOnly)
		result := &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: out.String()}}}
		if messages.Len() > 0 {
			result.Content = append(result.Content, &mcp.TextContent{Text: messages.String()})
		}
		result.Content = append(result.Content, &mcp.TextContent{Text: fmt.Sprintf("exit code %d", code)})
		result.IsError = code != 0 && out.Len() == 0
		return result, nil, nil
	})
}
