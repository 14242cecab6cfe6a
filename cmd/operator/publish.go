package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/internal/operator/manager"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/publish"
)

// publishResults is the other thing that the operator's image does: in the pod of
// a profiling Job it hands on what the profiler has written.
func publishResults(args []string) error {
	flags := flag.NewFlagSet("publish", flag.ExitOnError)
	from := flags.String("from", "", "the `directory` with the profiler's files")
	namespace := flags.String("namespace", "", "the `namespace` of the ConfigMap")
	configMap := flags.String("configmap", "", "the `name` of the ConfigMap that takes them, which must exist")
	if err := flags.Parse(args); err != nil {
		return err
	}
	restConfig, err := ctrl.GetConfig()
	if err != nil {
		return fmt.Errorf("find the cluster's credentials: %w", err)
	}
	writer, err := client.New(restConfig, client.Options{Scheme: manager.Scheme()})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	output := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: *namespace, Name: *configMap}}
	return publish.Run(ctrl.SetupSignalHandler(), os.DirFS(*from), func(ctx context.Context, patch []byte) error {
		return writer.Patch(ctx, output, client.RawPatch(types.MergePatchType, patch), client.FieldOwner("profiling"))
	})
}
