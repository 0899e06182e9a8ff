package ledger_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// anotherHistory is a checkpoint under the ledger's own key with a root that no
// stream gave.
func anotherHistory(t *testing.T, l *ledgertest.Ledger, size uint64) string {
	t.Helper()
	secrets, err := l.Keys.Secrets(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := verifier.Checkpoint{Origin: ledgertest.Origin, Size: size, Root: events.Hash{7, 7}}.Format()
	signed, err := note.Sign(&note.Note{Text: text}, secrets.Log)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func tell(t *testing.T, w *ledgertest.Witness, r *witness.Request) {
	t.Helper()
	client := witness.Client{URL: w.URL}
	if _, err := client.AddCheckpoint(t.Context(), r); err != nil {
		t.Fatal(err)
	}
}

// TestSplitView: a witness that has seen another history under the ledger's own key
// stops the ledger, however it answers and whether or not its signature is needed.
// Nothing newer is published, and its refusal never counts as a signature.
func TestSplitView(t *testing.T) {
	for name, c := range map[string]struct {
		size  uint64
		older bool
	}{"smaller": {2, false}, "smaller, 409 without a size": {2, true}} {
		t.Run(name, func(t *testing.T) {
			core, logs := observer.New(zapcore.ErrorLevel)
			l := ledgertest.New(t, ledgertest.Config{Tick: soon, Logger: zap.New(core)})
			l.MustRecord(t, ledgertest.Share("one", "ada"))
			l.Check(t)
			before := l.Published().Size
			w1, w2 := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "w2", 2)
			tell(t, w2, &witness.Request{Checkpoint: anotherHistory(t, l, c.size)})
			if c.older {
				w2.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w2.Handler().ServeHTTP(&older{w}, r)
				}))
			}
			l.Cosign(t, ledgertest.Policy(2, []*ledgertest.Witness{w1, w2}, nil), ledger.MissingWait)
			if _, err := l.TryRecord(t, ledgertest.Share("two", "ada")); err != nil && !errors.Is(err, ledger.ErrStopped) {
				t.Fatal(err)
			}
			if err := l.Wait(); !errors.Is(err, ledger.ErrCorrupt) || !strings.Contains(err.Error(), "w2") {
				t.Errorf("the ledger ended with %v", err)
			}
			if l.Published().Size != before {
				t.Errorf("size %d was published", l.Published().Size)
			}
			if s := l.Status(); s.Alarms == 0 || status(l, "w2").Alarm == "" || logs.FilterMessageSnippet("ALARM").Len() != 1 {
				t.Errorf("%+v, logged: %v", s, logs.All())
			}
			l.Close(t)
		})
	}
}

// older answers conflicts as witnesses did before the status 422.
type older struct{ http.ResponseWriter }

func (o *older) WriteHeader(status int) {
	if status == http.StatusUnprocessableEntity {
		status = http.StatusConflict
	}
	o.ResponseWriter.WriteHeader(status)
}

// TestBadWitnesses: what they answer is never taken for a signature, and stops
// nobody else.
func TestBadWitnesses(t *testing.T) {
	answers := map[string]http.HandlerFunc{
		"garbage":       func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "hello\n") },
		"nothing":       func(http.ResponseWriter, *http.Request) {},
		"too much":      func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, strings.Repeat("x", 1<<20)) },
		"unknown":       func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) },
		"a size of 99":  func(w http.ResponseWriter, r *http.Request) { sizeIs(w, "99\n") },
		"a size of 1":   func(w http.ResponseWriter, r *http.Request) { sizeIs(w, "1\n") },
		"a size of old": func(w http.ResponseWriter, r *http.Request) { sizeIs(w, "0\n") },
		"no size":       func(w http.ResponseWriter, r *http.Request) { sizeIs(w, "many\n") },
	}
	l := ledgertest.New(t, ledgertest.Config{Tick: soon})
	w1 := ledgertest.NewWitness(t, l, "w1", 1)
	another := ledgertest.NewWitness(t, l, "another", 99)
	answers["another's signature"] = another.Handler().ServeHTTP
	var followed atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Store(true) }))
	t.Cleanup(inside.Close)
	answers["elsewhere"] = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, inside.URL, http.StatusTemporaryRedirect)
	}
	ahead := ledgertest.NewWitness(t, l, "ahead", 98, func(c *witness.Config) {
		c.Now = func() time.Time { return time.Now().Add(time.Hour) }
	})
	all := []*ledgertest.Witness{w1, ahead}
	for name, answer := range answers {
		w := ledgertest.NewWitness(t, l, fmt.Sprint("bad", len(all)), byte(10+len(all)))
		w.Serve(answer)
		t.Logf("%s is %s", w.Name, name)
		all = append(all, w)
	}
	slices.Reverse(all)
	l.Cosign(t, ledgertest.Policy(1, all, nil), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("one", "ada"))
	l.Check(t)
	if by := seen(t, l); len(by) != 1 || by["w1"] == 0 {
		t.Errorf("cosigned by %v", by)
	}
	for _, w := range all {
		if w == w1 {
			continue
		}
		until(t, w.Name+" has a problem", func() bool { return status(l, w.Name).Problem != "" })
		t.Log(w.Name, status(l, w.Name).Problem)
	}
	if l.Status().Alarms != 0 {
		t.Errorf("%+v", l.Status())
	}
	if followed.Load() {
		t.Error("the ledger went where a cosigner sent it")
	}
}

func sizeIs(w http.ResponseWriter, size string) {
	w.Header().Set("Content-Type", "text/x.tlog.size")
	w.WriteHeader(http.StatusConflict)
	fmt.Fprint(w, size)
}
