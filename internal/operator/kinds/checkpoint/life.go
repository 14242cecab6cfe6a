// Package checkpoint runs DynamoCheckpoints: a Job starts a worker, of which a
// checkpoint is taken, and what nobody wants any more goes.
package checkpoint

import (
	"cmp"
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wheelhouse-dev/wheelhouse/api/v1alpha1"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/checkpoint"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/diagnose"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/lifecycle"
	"github.com/wheelhouse-dev/wheelhouse/internal/operator/render"
)

const (
	// round is how often it is asked whether a checkpoint is still wanted.
	round = 5 * time.Minute
)

// off is what the author of a checkpoint is told where none are taken.
const off = "this operator takes no checkpoints: its configuration does not turn them on"

// life is one look at a checkpoint.
type life struct {
	*lifecycle.Visit
	checkpoint *v1alpha1.DynamoCheckpoint

	// edited: the spec is another than that of the last look.
	edited bool
	// job takes the checkpoint; nil if there is none.
	job *batchv1.Job
}

func begin(visit *lifecycle.Visit, object client.Object) lifecycle.Life {
	c := object.(*v1alpha1.DynamoCheckpoint)
	edited := c.Status.ObservedGeneration != c.Generation
	c.Status.ObservedGeneration = c.Generation
	return &life{Visit: visit, checkpoint: c, edited: edited}
}

// Phases implements lifecycle.Life.
func (l *life) Phases() []lifecycle.Phase {
	return []lifecycle.Phase{l.identify, l.findJob, l.take, l.follow, l.keep}
}

func (l *life) identify(context.Context) error {
	if !l.Cluster.Checkpoints {
		return lifecycle.Refuse(reasonUnsupported, off)
	}
	// What is stored is of the identity that it was taken of.
	if !checkpoint.IsReady(l.checkpoint) {
		l.checkpoint.Status.IdentityHash = checkpoint.Hash(l.checkpoint.Spec.Identity)
	}
	return nil
}

// over: a checkpoint that is stored stays, and one that failed is tried again only
// when its spec changes.
func (l *life) over() bool {
	phase := l.checkpoint.Status.Phase
	return phase == v1alpha1.CheckpointPhaseReady || phase == v1alpha1.CheckpointPhaseFailed && !l.edited
}

func (l *life) findJob(ctx context.Context) error {
	job := &batchv1.Job{}
	key := client.ObjectKey{Namespace: l.checkpoint.Namespace, Name: render.CheckpointJobName(l.checkpoint.Name)}
	err := l.Client.Get(ctx, key, job)
	if apierrors.IsNotFound(err) && l.checkpoint.Status.Phase == v1alpha1.CheckpointPhaseCreating {
		err = l.Live.Get(ctx, key, job) // the cache may not have it yet
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read Job %s/%s: %w", key.Namespace, key.Name, err)
	}
	if err == nil && metav1.IsControlledBy(job, l.checkpoint) {
		l.job = job
	}
	return nil
}

// take starts the Job, unless what it stores is another checkpoint's.
func (l *life) take(ctx context.Context) error {
	if l.over() || l.job != nil {
		return nil
	}
	if l.checkpoint.Status.Phase == v1alpha1.CheckpointPhaseCreating {
		l.note(v1alpha1.ConditionJobCreated, false, "JobDeleted", "The Job was deleted before it had ended")
	}
	all, err := l.all(ctx)
	if err != nil {
		return err
	}
	if other := checkpoint.SameArtifact(l.checkpoint, all); other != nil {
		l.become(v1alpha1.CheckpointPhasePending, "SameArtifact", fmt.Sprintf("DynamoCheckpoint %s is of the same identity, and both would be stored as %s: delete one of them",
			other.Name, checkpoint.Artifact(l.checkpoint)))
		l.LookAgain(round)
		return nil
	}
	job := render.CheckpointJob(l.checkpoint, l.Config)
	err = l.Apply.Ensure(ctx, l.checkpoint, job)
	if apierrors.IsInvalid(err) {
		return lifecycle.Refuse(reasonFailed, err.Error())
	}
	if err != nil {
		return err
	}
	l.job = job
	l.checkpoint.Status.JobName = job.Name
	l.note(v1alpha1.ConditionJobCreated, true, "JobCreated", "Job "+job.Name+" is created")
	l.WriteNow()
	return nil
}

// follow takes over how the Job does, and what agents say of its pods.
func (l *life) follow(ctx context.Context) error {
	if l.over() || l.job == nil {
		return nil
	}
	end := diagnose.Ended(l.job)
	// The cache of pods may lag behind the Job's end, which is told but once.
	reader := client.Reader(l.Client)
	if end != nil {
		reader = l.Live
	}
	var pods corev1.PodList
	err := reader.List(ctx, &pods, client.InNamespace(l.checkpoint.Namespace), client.MatchingLabels{v1alpha1.LabelSelector: render.CheckpointPods(l.checkpoint.Name)})
	if err != nil {
		return fmt.Errorf("list the pods of Job %s/%s: %w", l.job.Namespace, l.job.Name, err)
	}
	taken, why := checkpoint.Taken(l.job.UID, pods.Items), diagnose.Job(pods.Items)
	present := render.JobIsOf(l.job, l.checkpoint)
	switch {
	case taken != nil && present && taken.Status == corev1.ConditionTrue:
		l.stored(taken.Message)
	case taken != nil && present:
		l.failed(cmp.Or(taken.Reason, reasonFailed), fmt.Sprintf("the agent took no checkpoint: %s", taken.Message))
	case end != nil && end.Type == batchv1.JobComplete && present:
		l.failed("NotTaken", fmt.Sprintf("Job %s has ended, and no agent has said that the checkpoint is stored: is the engine of the chart chrek on, and an agent on the pod's node?", l.job.Name))
	case end != nil && present:
		l.failed(reasonFailed, fmt.Sprintf("Job %s failed: %s", l.job.Name, cmp.Or(why, end.Message)))
	case end != nil:
		l.become(v1alpha1.CheckpointPhasePending, "FormerJob", fmt.Sprintf("Job %s of the former spec has ended, and is in the way until it is removed, for which its ttlSecondsAfterFinished is: kubectl -n %s delete job %s is faster", l.job.Name, l.job.Namespace, l.job.Name))
	case why != "":
		l.become(v1alpha1.CheckpointPhaseCreating, "JobRunning", "Job "+l.job.Name+" runs: "+why)
	default:
		l.become(v1alpha1.CheckpointPhaseCreating, "JobRunning", "Job "+l.job.Name+" runs")
	}
	return nil
}

// failed: it is over until the spec changes.
func (l *life) failed(reason, why string) {
	message := why + "; it is tried again when spec.job changes"
	l.note(v1alpha1.ConditionJobCompleted, false, "JobFailed", message)
	l.become(v1alpha1.CheckpointPhaseFailed, reason, message)
	l.event(corev1.EventTypeWarning, reasonFailed, message)
	l.WriteNow()
}

// stored: the agent says that the checkpoint is.
func (l *life) stored(message string) {
	status := &l.checkpoint.Status
	status.CreatedAt = ptr.To(metav1.Now())
	status.Location = checkpoint.EngineOf(l.Config.Checkpoint).Location(checkpoint.Artifact(l.checkpoint))
	status.StorageType = v1alpha1.CheckpointStoragePVC
	l.note(v1alpha1.ConditionJobCompleted, true, "JobSucceeded", "Job "+l.job.Name+" has done what it is for")
	l.note(v1alpha1.ConditionTarAvailable, true, "TarCreated", "The checkpoint is in "+status.Location)
	l.become(v1alpha1.CheckpointPhaseReady, "CheckpointReady", message)
	l.event(corev1.EventTypeNormal, "CheckpointReady", "The checkpoint is in "+status.Location)
	l.WriteNow()
}

func (l *life) all(ctx context.Context) ([]v1alpha1.DynamoCheckpoint, error) {
	var all v1alpha1.DynamoCheckpointList
	if err := l.Client.List(ctx, &all, client.InNamespace(l.checkpoint.Namespace)); err != nil {
		return nil, fmt.Errorf("list the checkpoints in namespace %s: %w", l.checkpoint.Namespace, err)
	}
	return all.Items, nil
}

// keep removes a checkpoint that is wanted no longer.
func (l *life) keep(ctx context.Context) error {
	if !checkpoint.IsReady(l.checkpoint) {
		return nil
	}
	all, err := l.all(ctx)
	if err != nil {
		return err
	}
	var graphs v1alpha1.DynamoGraphDeploymentList
	if err := l.Client.List(ctx, &graphs, client.InNamespace(l.checkpoint.Namespace)); err != nil {
		return fmt.Errorf("list the graphs in namespace %s: %w", l.checkpoint.Namespace, err)
	}
	why, again := checkpoint.Surplus(l.checkpoint, all, usedBy(graphs.Items), l.Config.Checkpoint.MostPerNamespace, time.Now())
	// Others become ready and graphs go without a word to this one.
	if again == 0 || again > round {
		again = round
	}
	l.LookAgain(again)
	if why == "" {
		return nil
	}
	l.event(corev1.EventTypeNormal, "CheckpointRemoved", "Is removed: "+why)
	uid := l.checkpoint.UID
	if err := l.Client.Delete(ctx, l.checkpoint.DeepCopy(), client.Preconditions{UID: &uid}); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete checkpoint %s/%s: %w", l.checkpoint.Namespace, l.checkpoint.Name, err)
	}
	return nil
}

// usedBy reports whether a service of these graphs means a checkpoint, and no other.
func usedBy(graphs []v1alpha1.DynamoGraphDeployment) func(*v1alpha1.DynamoCheckpoint) bool {
	return func(c *v1alpha1.DynamoCheckpoint) bool {
		for i := range graphs {
			for name, service := range graphs[i].Spec.Services {
				if service == nil || !checkpoint.Fits(c, service.Checkpoint) {
					continue
				}
				if has := graphs[i].Status.Checkpoints[name].CheckpointName; has == "" || has == c.Name {
					return true
				}
			}
		}
		return false
	}
}
