package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wheelhouse-dev/wheelhouse/internal/spelling"
)

// helpWidth is how wide --help is at most, in columns.
const helpWidth = 100

// usageTemplate is one screen: what it is called, an example, the command's own
// flags, exit codes. Flags that all commands share take one line.
const usageTemplate = `Usage:
  {{usageLine .}}{{if .HasExample}}

Examples:
{{examples .}}{{end}}{{if .HasAvailableSubCommands}}

Commands:{{range .Commands}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}{{end}}{{with localFlags .}}

Flags:
{{.}}{{end}}

Exit codes: {{exitCodes .}}
{{with more .}}{{.}}
{{end}}`

// exits says what a command's exit codes mean, where it has more to tell than
// success and failure.
var exits = map[string]string{
	"plan":          "0 nothing would change, 2 something would, 1 it could not be told or is refused",
	"status":        "0 all is well, 1 it is not",
	"upgrade-check": "0 all is safe or stays as it is, 2 something is not, 1 it could not be told",
	"doctor":        "0 nothing was found to be wrong, 1 something was, or an error",
	"validate":      "0 valid, 1 not",
	"values":        "0 done, 1 an error; with --unused also 1 if a value has no effect",
	"explain":       "0 done, 1 nothing renders the object, or another error",
	"verify":        "0 all are what was stored, 1 some are damaged, or another error",
	"diff":          "0 they are alike, 2 they differ, 1 an error",
	"apply":         "0 all is applied and ready, 1 not, or refused",
}

// online are the commands that talk to a cluster.
var online = map[string]bool{"explain": true, "plan": true, "apply": true, "status": true, "doctor": true, "upgrade-check": true, "history": true, "rollback": true, "destroy": true,
	"ls": true, "inspect": true, "verify": true, "diff": true, "rm": true}

// teachTemplates tells cobra, which has one memory for all roots, what the template of
// help asks for. Commands run beside each other, so it happens once.
var teachTemplates = sync.OnceFunc(func() {
	cobra.AddTemplateFuncs(map[string]any{
		"usageLine": plainUsage,
		"examples":  func(c *cobra.Command) string { return asCalled(c.Example, c.Root().DisplayName()) },
		"localFlags": func(c *cobra.Command) string {
			return strings.TrimRight(ownFlags(c).FlagUsagesWrapped(helpWidth), "\n")
		},
		"exitCodes": exitCodes,
		"more":      more,
	})
	// In the order in which they are used.
	cobra.EnableCommandSorting = false
})

// dressHelp gives every command the same help, and answers to misspelt names.
func dressHelp(root *cobra.Command) {
	teachTemplates()
	root.SetUsageTemplate(usageTemplate)
	root.SetFlagErrorFunc(flagError)
	visit(root, func(c *cobra.Command) {
		if c.HasSubCommands() {
			c.Args = knownCommand
		}
	})
}

func visit(c *cobra.Command, do func(*cobra.Command)) {
	do(c)
	for _, sub := range c.Commands() {
		visit(sub, do)
	}
}

// plainUsage is the usage line without "[flags]", which says nothing.
func plainUsage(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return strings.TrimSuffix(c.UseLine(), " [flags]")
}

// ownFlags are the flags of a command itself, without --help.
func ownFlags(c *cobra.Command) *pflag.FlagSet {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && c.PersistentFlags().Lookup(f.Name) == nil {
			own.AddFlag(f)
		}
	})
	return own
}

// more is the last line of --help.
func more(c *cobra.Command) string {
	switch {
	case c.HasAvailableSubCommands():
		return fmt.Sprintf("More about a command: %s COMMAND --help", c.CommandPath())
	case online[c.Name()]:
		return "The cluster: --kubeconfig, --context and kubectl's other flags and environment."
	default:
		return ""
	}
}

func exitCodes(c *cobra.Command) string {
	if text, ok := exits[c.Name()]; ok {
		return text
	}
	return "0 done, 1 an error"
}

// asCalled writes examples as a kubectl plugin is called.
func asCalled(examples, name string) string {
	return strings.ReplaceAll("\n"+examples, "\n  wheelhouse ", "\n  "+name+" ")[1:]
}

// displayName is how the program is called: kubectl calls its plugins so.
func displayName() string {
	if strings.HasPrefix(filepath.Base(os.Args[0]), "kubectl-") {
		return "kubectl wheelhouse"
	}
	return "wheelhouse"
}

// knownCommand refuses the arguments of a command that only has others below.
func knownCommand(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q for %q; %s", args[0], c.CommandPath(), meant(args[0], known, c))
}

// flagError adds the flag that was meant.
func flagError(c *cobra.Command, err error) error {
	name, ok := strings.CutPrefix(err.Error(), "unknown flag: --")
	if !ok {
		return fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())
	}
	if instead, ok := habits["--"+name]; ok {
		return fmt.Errorf("%w; %s", err, instead)
	}
	var known []string
	c.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, "--"+f.Name) })
	return fmt.Errorf("%w; %s", err, meant("--"+name, known, c))
}

func meant(word string, known []string, c *cobra.Command) string {
	if closest := spelling.Closest(word, known); closest != "" {
		return fmt.Sprintf("did you mean %q?", closest)
	}
	return fmt.Sprintf("see `%s --help`", c.CommandPath())
}

// noArguments refuses arguments with the command that was meant.
func noArguments(instead func(args []string) string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("%s takes no arguments; %s", c.Name(), instead(args))
	}
}

// habits are flags that other programs have, and what does the same here.
var habits = map[string]string{
	"--dry-run":          "`wheelhouse plan` shows what apply would do, and writes nothing",
	"--atomic":           "`wheelhouse apply --on-failure=rollback` takes back what a failed run did",
	"--cleanup-on-fail":  "`wheelhouse apply --on-failure=rollback` takes back what a failed run did",
	"--install":          "`wheelhouse apply` installs what is not there",
	"--create-namespace": "`wheelhouse apply` creates namespaces",
	"--values":           "values files are named in the fleet file, under values",
	"--all-namespaces":   "all of the fleet is what is shown without -n",
	"--revision":         "`wheelhouse rollback --to N` returns to a revision",
}
