package ledgertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// Witness is a real witness on loopback, which a test can take away or replace at
// its address.
type Witness struct {
	Name   string
	Key    *verifier.CosignerKey
	URL    string
	Dir    string // what it signed last
	own    *witness.Server
	serves atomic.Pointer[http.Handler]
}

// NewWitness starts a witness of a ledger. The number makes its key.
func NewWitness(t testing.TB, l *Ledger, name string, number byte, change ...func(*witness.Config)) *Witness {
	t.Helper()
	key, err := verifier.NewCosignerKey(name+".example", [32]byte{100, number})
	if err != nil {
		t.Fatal(err)
	}
	w := &Witness{Name: name, Key: key, Dir: t.TempDir()}
	cfg := witness.Config{Key: key, Dir: w.Dir, Logs: []witness.Log{{Origin: Origin, Key: l.Trust().Log}}}
	for _, f := range change {
		f(&cfg)
	}
	if w.own, err = witness.Open(cfg); err != nil {
		t.Fatal(err)
	}
	w.Up()
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.serves.Load()).ServeHTTP(rw, r) }))
	w.URL = server.URL
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		if err := w.own.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Up has the witness answer.
func (w *Witness) Up() { w.Serve(w.own.Handler()) }

// Down has its address answer nothing.
func (w *Witness) Down() {
	w.Serve(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err == nil {
			conn.Close()
		}
	}))
}

// Serve has its address answer otherwise.
func (w *Witness) Serve(h http.Handler) { w.serves.Store(&h) }

// Handler is what it answers when it is up.
func (w *Witness) Handler() http.Handler { return w.own.Handler() }

// Policy is a policy whose quorum is k of the witnesses and any of the auditors.
func Policy(k int, witnesses, auditors []*Witness) string {
	var b strings.Builder
	group := func(name, threshold string, all []*Witness) {
		fmt.Fprintf(&b, "group %s %s", name, threshold)
		for _, w := range all {
			b.WriteString(" " + w.Name)
		}
		b.WriteString("\n")
	}
	for _, w := range append(witnesses[:len(witnesses):len(witnesses)], auditors...) {
		fmt.Fprintf(&b, "witness %s %s %s\n", w.Name, w.Key, w.URL)
	}
	group("witnesses", fmt.Sprint(k), witnesses)
	if len(auditors) == 0 {
		b.WriteString("quorum witnesses\n")
		return b.String()
	}
	group("auditors", "any", auditors)
	b.WriteString("group both all witnesses auditors\nquorum both\n")
	return b.String()
}

// Cosign has a policy hold for the ledger from now on.
func (l *Ledger) Cosign(t testing.TB, policy, missing string) {
	t.Helper()
	if err := l.SetPublication(ledger.Publication{Policy: policy, Missing: missing}); err != nil {
		t.Fatal(err)
	}
}
