package scope

import (
	"context"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Released wakes up a cluster-wide controller when a namespace's marker is
// deleted: all objects of the list's kind in it are due after HandOver. An
// expired marker needs no such call, because the objects were queued for its
// expiry when they were left alone.
func Released(reader client.Reader, newList func() client.ObjectList) handler.EventHandler {
	return handler.Funcs{
		DeleteFunc: func(ctx context.Context, e event.DeleteEvent, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			list := newList()
			err := reader.List(ctx, list, client.InNamespace(e.Object.GetNamespace()))
			if err == nil {
				err = meta.EachListItem(list, func(item runtime.Object) error {
					queue.AddAfter(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(item.(client.Object))}, HandOver)
					return nil
				})
			}
			if err != nil {
				log.FromContext(ctx).Error(err, "cannot take over a released namespace", "namespace", e.Object.GetNamespace())
			}
		},
	}
}
