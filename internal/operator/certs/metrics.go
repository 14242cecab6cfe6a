package certs

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var expiry = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "dynamo_operator_webhook_certificate_expiry_timestamp_seconds",
	Help: "When the serving certificate of the admission webhooks expires, in seconds since the epoch.",
})

func init() { metrics.Registry.MustRegister(expiry) }

// ReportExpiry tells scrapers when the certificate in use expires, whoever made it.
func ReportExpiry(at time.Time) { expiry.Set(float64(at.Unix())) }
