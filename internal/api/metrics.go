package api

import (
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sharetrail/sharetrail/internal/actor"
)

// MetricsPath is where Prometheus finds the figures of the status.
const MetricsPath = "/metrics"

// figures are what the metrics say: the status, and nothing that is not in it.
type figures struct{ *server }

func figure(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sharetrail_"+name, help, labels, nil)
}

var (
	leaves     = figure("leaves", "Leaves of the ledger, by the state they have reached.", "state")
	foreign    = figure("foreign_events", "Events in the ledger's stream that are not the ledger's. Must be 0.")
	blocked    = figure("blocked", "1 while nothing can be recorded.")
	waiting    = figure("log_waiting", "1 while the verifiable log does not answer.")
	lacking    = figure("quorum_lacking", "1 while the quorum of witnesses and auditors has not signed the newest state.")
	alarms     = figure("cosigner_alarms_total", "How often a cosigner refused this ledger's history. Must be 0.")
	alarmed    = figure("cosigner_alarmed", "1 for a cosigner that holds evidence of two histories.", "cosigner", "role")
	signedSize = figure("cosigner_size", "Leaves under the newest checkpoint that a cosigner has signed.", "cosigner", "role")
	signedAt   = figure("cosigner_signed_timestamp_seconds", "When a cosigner signed last.", "cosigner", "role")
	position   = figure("projection_next", "The next event that a read model will apply.", "projection")
	parked     = figure("projection_parked", "Parties whose events wait because one of them failed.", "projection")
	halted     = figure("projection_halted", "1 while a read model stands still.", "projection")
)

// Describe implements [prometheus.Collector].
func (figures) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{leaves, foreign, blocked, waiting, lacking, alarms, alarmed, signedSize, signedAt, position, parked, halted} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (f figures) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	s := f.Ledger.Status()
	gauge(leaves, float64(s.Accepted), "accepted")
	gauge(leaves, float64(s.Logged), "logged")
	gauge(leaves, float64(s.Published), "published")
	gauge(foreign, float64(s.Foreign))
	gauge(blocked, is(s.Blocked != ""))
	gauge(waiting, is(s.Waiting != ""))
	gauge(lacking, is(s.Lacking != ""))
	ch <- prometheus.MustNewConstMetric(alarms, prometheus.CounterValue, float64(s.Alarms))
	for _, c := range s.Cosigners {
		gauge(alarmed, is(c.Alarm != ""), c.Name, c.Role)
		gauge(signedSize, float64(c.Size), c.Name, c.Role)
		if at, err := time.Parse(time.RFC3339, c.At); err == nil {
			gauge(signedAt, float64(at.Unix()), c.Name, c.Role)
		}
	}
	for _, p := range f.Runner.Status() {
		gauge(position, float64(p.Next), p.Name)
		gauge(parked, float64(len(p.Parked)), p.Name)
		gauge(halted, is(p.Err != nil), p.Name)
	}
}

func is(so bool) float64 {
	if so {
		return 1
	}
	return 0
}

// registerMetrics serves the figures of the status in Prometheus's format, to those
// who may read the status of cosigners.
func (s *server) registerMetrics(api huma.API, mux *http.ServeMux) {
	const id = "get-metrics"
	registry := prometheus.NewRegistry()
	registry.MustRegister(figures{s})
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	mux.HandleFunc("GET "+MetricsPath, func(w http.ResponseWriter, r *http.Request) {
		a, known := actor.FromContext(r.Context())
		if p := s.refusal(a, known, id); p != nil {
			if p.Status == http.StatusUnauthorized {
				w.Header().Set("WWW-Authenticate", challenge)
			}
			writeProblem(w, p)
			return
		}
		handler.ServeHTTP(w, r)
	})
	problem := api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	api.OpenAPI().AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodGet, Path: MetricsPath, Tags: []string{"ledger"}, Summary: "The status as metrics",
		Description: "In Prometheus's text format. Alert on sharetrail_cosigner_alarms_total and sharetrail_foreign_events above 0.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The metrics", Content: map[string]*huma.MediaType{"text/plain": {}}},
			"500": {Description: "They cannot be read", Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}},
		},
	})
}
