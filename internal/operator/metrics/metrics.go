// Package metrics are what the operator counts, under the names that dashboards
// of the published operator ask for.
package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

const prefix = "dynamo_operator_"

var (
	looks = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "reconcile_duration_seconds", Help: "How long a look at an object took.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
	}, []string{"resource_type", "namespace", "result"})
	looksTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "reconcile_total", Help: "How many looks at objects there were.",
	}, []string{"resource_type", "namespace", "result"})
	lookErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "reconcile_errors_total", Help: "How many looks at objects ended in an error, by what went wrong.",
	}, []string{"resource_type", "namespace", "error_type"})
	answers = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "webhook_duration_seconds", Help: "How long an admission webhook took to answer.",
		Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"resource_type", "operation"})
	answersTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "webhook_requests_total", Help: "How many requests the admission webhooks answered.",
	}, []string{"resource_type", "operation", "result"})
	denials = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: prefix + "webhook_denials_total", Help: "How many requests the admission webhooks refused, by what was wrong.",
	}, []string{"resource_type", "operation", "reason"})
)

func init() {
	metrics.Registry.MustRegister(looks, looksTotal, lookErrors, answers, answersTotal, denials, objects)
}

// Looked counts a look at an object. A look that is to be repeated after a while
// is a requeue.
func Looked(kind, namespace string, took time.Duration, again bool, err error) {
	result := "success"
	switch {
	case err != nil:
		result = "error"
		lookErrors.WithLabelValues(kind, namespace, ErrorType(err)).Inc()
	case again:
		result = "requeue"
	}
	looks.WithLabelValues(kind, namespace, result).Observe(took.Seconds())
	looksTotal.WithLabelValues(kind, namespace, result).Inc()
}

// Answered counts the answer of a webhook to a request of the kind CREATE or
// UPDATE; err is why it was refused.
func Answered(kind, operation string, took time.Duration, err error) {
	result := "allowed"
	if err != nil {
		result = "denied"
		denials.WithLabelValues(kind, operation, ErrorType(err)).Inc()
	}
	answers.WithLabelValues(kind, operation).Observe(took.Seconds())
	answersTotal.WithLabelValues(kind, operation, result).Inc()
}

// types are the words for errors of the API server.
var types = map[metav1.StatusReason]string{
	metav1.StatusReasonNotFound: "not_found", metav1.StatusReasonAlreadyExists: "already_exists", metav1.StatusReasonConflict: "conflict",
	metav1.StatusReasonInvalid: "validation", metav1.StatusReasonBadRequest: "bad_request", metav1.StatusReasonUnauthorized: "unauthorized",
	metav1.StatusReasonForbidden: "forbidden", metav1.StatusReasonTimeout: "timeout", metav1.StatusReasonServerTimeout: "server_timeout",
	metav1.StatusReasonServiceUnavailable: "unavailable", metav1.StatusReasonTooManyRequests: "rate_limited",
}

// ErrorType is an error in one of a few words; internal for those that the API
// server has not made.
func ErrorType(err error) string {
	if word, known := types[apierrors.ReasonForError(err)]; known {
		return word
	}
	return "internal"
}
