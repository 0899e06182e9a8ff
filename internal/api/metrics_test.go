package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/sharetrail/sharetrail/internal/actor"
	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestMetrics: Prometheus's own parser reads what the status says.
func TestMetrics(t *testing.T) {
	s := serve(t)
	n := s.network(t)
	s.ledger.MustRecord(t, ledgertest.Share("a", "ada"))
	s.ledger.Publish(t)
	scraped := scrape(t, n.URL+api.MetricsPath, n.tokens[actor.Auditor])
	status := s.ledger.Status()
	for state, want := range map[string]uint64{"accepted": status.Accepted, "logged": status.Logged, "published": status.Published} {
		if got := value(scraped["sharetrail_leaves"], state); got != fmt.Sprint(want) {
			t.Errorf("%s: %s leaves, want %d", state, got, want)
		}
	}
	for _, name := range []string{"sharetrail_foreign_events", "sharetrail_cosigner_alarms_total", "sharetrail_blocked", "sharetrail_quorum_lacking"} {
		if got := value(scraped[name], ""); got != "0" {
			t.Errorf("%s is %q", name, got)
		}
	}
	if got := value(scraped["sharetrail_projection_next"], "parties"); got == "" || got == "0" {
		t.Errorf("the read model's next event is %q", got)
	}
}

func scrape(t *testing.T, url, token string) map[string]*dto.MetricFamily {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Fatalf("%s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value returns the value of the metric whose first label has a value; empty if
// there is none.
func value(f *dto.MetricFamily, label string) string {
	for _, m := range f.GetMetric() {
		if labels := m.GetLabel(); len(labels) == 0 && label == "" || len(labels) > 0 && labels[0].GetValue() == label {
			return fmt.Sprint(m.GetGauge().GetValue() + m.GetCounter().GetValue())
		}
	}
	return ""
}
