// Command conversion converts Dynamo objects between the versions of their API,
// for the API server. In its image it is /conversion. It uses no API and has no
// rights; its certificate is read from files, and again when they change.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/certwatcher"

	"github.com/wheelhouse-dev/wheelhouse/internal/conversion"
	"github.com/wheelhouse-dev/wheelhouse/internal/conversion/webhook"
	"github.com/wheelhouse-dev/wheelhouse/internal/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command().ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "conversion:", err)
		os.Exit(1)
	}
}

type options struct{ listen, probes, certificate, level string }

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:           "conversion",
		Short:         "Convert Dynamo objects between the versions of their API, for the API server",
		Version:       version.Version,
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
	c.Flags().StringVar(&o.listen, "listen", ":9443", "`address` of the API server's requests")
	c.Flags().StringVar(&o.probes, "probes", ":8081", "`address` of /healthz and /readyz")
	c.Flags().StringVar(&o.certificate, "certificate", "/etc/dynamo-conversion/certificate", "`folder` with tls.crt and tls.key")
	c.Flags().StringVar(&o.level, "log-level", "info", "debug, info, warn or error")
	c.CompletionOptions.DisableDefaultCmd = true
	return c
}

func run(ctx context.Context, o options) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.level)); err != nil {
		return fmt.Errorf("--log-level %q: must be debug, info, warn or error", o.level)
	}
	watcher, err := certwatcher.New(filepath.Join(o.certificate, corev1.TLSCertKey), filepath.Join(o.certificate, corev1.TLSPrivateKeyKey))
	if err != nil {
		return fmt.Errorf("read the certificate: %w", err)
	}
	// It ends with the context, and until then says itself what went wrong.
	go func() { _ = watcher.Start(ctx) }()
	var listen net.ListenConfig
	reviews, err := listen.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return err
	}
	probes, err := listen.Listen(ctx, "tcp", o.probes)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	log.Info("converting", "version", version.Version, "listen", o.listen)
	server := &webhook.Server{Reviews: reviews, Probes: probes, Certificate: watcher.GetCertificate, Review: conversion.Review, Log: log}
	return server.Run(ctx)
}
