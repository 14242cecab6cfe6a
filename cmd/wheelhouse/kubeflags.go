package main

import (
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/cli-runtime/pkg/genericclioptions"
)

// kubeFlags are kubectl's own, but for the namespace, which the fleet names.
func kubeFlags() *genericclioptions.ConfigFlags {
	flags := genericclioptions.NewConfigFlags(true)
	flags.Namespace = nil
	flags.CacheDir = nil
	return flags
}

// hideRareFlags keeps --help on one screen; hidden flags work all the same.
func hideRareFlags(f *pflag.Flag) {
	switch f.Name {
	case "kubeconfig", "context":
	default:
		f.Hidden = true
	}
}

// habitOfWaiting takes --wait, as Helm has it: waiting is what is done anyway.
func habitOfWaiting(c *cobra.Command, noWait *bool) {
	c.Flags().BoolFunc("wait", "wait until all is ready, which is the default", func(text string) error {
		wait, err := strconv.ParseBool(text)
		*noWait = !wait
		return err
	})
	_ = c.Flags().MarkHidden("wait")
}
