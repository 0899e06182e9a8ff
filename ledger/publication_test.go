package ledger_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestPublicationPolicies: what cannot hold is refused, by field, and changes
// nothing; what holds survives a restart.
func TestPublicationPolicies(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	w := ledgertest.NewWitness(t, l, "w1", 1)
	good := ledgertest.Policy(1, []*ledgertest.Witness{w}, nil)
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		p     ledger.Publication
		field string
	}{
		"unknown missing":    {ledger.Publication{Policy: good, Missing: "hope"}, "missing"},
		"no duration":        {ledger.Publication{Policy: good, Refresh: "often"}, "refresh"},
		"too often":          {ledger.Publication{Policy: good, Refresh: "1s"}, "refresh"},
		"no quorum":          {ledger.Publication{Policy: strings.Replace(good, "quorum witnesses\n", "", 1)}, "policy"},
		"no address":         {ledger.Publication{Policy: strings.Replace(good, " "+w.URL, "", 1)}, "policy"},
		"an address of mail": {ledger.Publication{Policy: strings.Replace(good, "http://", "mailto:", 1)}, "policy"},
		"another log":        {ledger.Publication{Policy: "log " + secrets.ReportVerifier + "\n" + good}, "policy"},
		"a typing error":     {ledger.Publication{Policy: strings.Replace(good, "group", "gruop", 1)}, "policy, line 2"},
	} {
		var field *events.FieldError
		if err := l.SetPublication(c.p); !errors.As(err, &field) || field.Field != c.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p := l.Publication(); p.Policy != verifier.NoQuorum(secrets.LogVerifier) {
		t.Errorf("%+v", p)
	}
	if err := l.SetPublication(ledger.Publication{Policy: good, Missing: ledger.MissingPublish, Refresh: "45m"}); err != nil {
		t.Fatal(err)
	}
	want := l.Publication()
	l.Reopen(t, ledgertest.Config{})
	if got := l.Publication(); got.Policy != want.Policy || got.Missing != want.Missing || got.Refresh != want.Refresh || got.Policy != "log "+secrets.LogVerifier+"\n"+strings.Replace(good, "group witnesses 1 w1", "group witnesses all w1", 1) {
		t.Errorf("%+v, then %+v", want, got)
	}
	until(t, "it is cosigned", func() bool { return l.Status().SeenAt != "" })
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	kept := readFile(t, l.Dir, "publication.json")
	for _, bad := range []string{"", "{", `{"policy":"quorum nobody","missing":"wait"}`, `{"polcy":""}`} {
		writeFile(t, l.Dir, "publication.json", []byte(bad))
		if err := l.TryOpen(t, ledgertest.Config{}); err == nil || !strings.Contains(err.Error(), filepath.Join(l.Dir, "publication.json")) {
			t.Errorf("opened with %q: %v", bad, err)
		}
	}
	// Lost, it is no silent end of being witnessed.
	if err := os.Remove(filepath.Join(l.Dir, "publication.json")); err != nil {
		t.Fatal(err)
	}
	if err := l.TryOpen(t, ledgertest.Config{}); err == nil || !strings.Contains(err.Error(), "is missing, and what was published last is cosigned") {
		t.Errorf("opened without it: %v", err)
	}
	writeFile(t, l.Dir, "publication.json", []byte("{}"))
	l.Open(t, ledgertest.Config{})
	l.Check(t)
	if err := l.Close(t); err != nil {
		t.Fatal(err)
	}
	writeFile(t, l.Dir, "publication.json", kept)
	l.Open(t, ledgertest.Config{})
}
