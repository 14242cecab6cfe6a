// Command build compiles and assembles the product's container images.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/wheelhouse-dev/wheelhouse/images"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		return 1
	}
	return 0
}

func command() *cobra.Command {
	var outDir string
	cmd := &cobra.Command{
		Use:           "build [IMAGE...]",
		Short:         "Build image archives without a container engine; all of them, or the ones named",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, names []string) error {
			return build(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), names, outDir)
		},
	}
	cmd.Flags().StringVar(&outDir, "out", "dist/images", "directory for the archives")
	return cmd
}

// built is one line of the table.
type built struct {
	reference, digest, file string
	size                    int64
}

func build(ctx context.Context, out, progress io.Writer, names []string, dir string) error {
	chosen, err := images.ByName(names)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the output directory: %w", err)
	}
	var done []built
	for i, image := range chosen {
		fmt.Fprintf(progress, "[%d/%d] %s: compiling %s ...", i+1, len(chosen), image.Name, image.Package)
		begun := time.Now()
		result, err := buildOne(ctx, image, dir)
		if err != nil {
			fmt.Fprintln(progress, " failed")
			return err
		}
		fmt.Fprintf(progress, " %.1fs\n", time.Since(begun).Seconds())
		done = append(done, result)
	}
	return printTable(out, done)
}

func buildOne(ctx context.Context, image images.Image, dir string) (built, error) {
	assembled, err := images.Build(ctx, image, runtime.GOARCH)
	if err != nil {
		return built{}, err
	}
	digest, err := assembled.Digest()
	if err != nil {
		return built{}, fmt.Errorf("image %s: %w", image.Name, err)
	}
	path := filepath.Join(dir, image.Name+".tar")
	size, err := writeFile(path, func(w io.Writer) error { return images.WriteArchive(w, assembled, image.Reference()) })
	return built{reference: image.Reference(), digest: digest.String(), file: path, size: size}, err
}

// writeFile replaces a file only once its new content is complete.
func writeFile(path string, write func(io.Writer) error) (size int64, err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	defer func() { _ = file.Close() }()
	if err := write(file); err != nil {
		return 0, err
	}
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	if err := file.Chmod(0o644); err != nil {
		return 0, err
	}
	if err := file.Close(); err != nil {
		return 0, err
	}
	return info.Size(), os.Rename(file.Name(), path)
}

func printTable(out io.Writer, done []built) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "IMAGE\tDIGEST\tSIZE\tFILE")
	for _, b := range done {
		fmt.Fprintf(table, "%s\t%s\t%.1f MiB\t%s\n", b.reference, b.digest, float64(b.size)/(1<<20), b.file)
	}
	return table.Flush()
}
