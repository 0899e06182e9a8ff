package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// seen demands that what is published has its quorum, and says by whom.
func seen(t *testing.T, l *ledgertest.Ledger) verifier.Cosigned {
	t.Helper()
	trust, p := l.Trust(), l.Published()
	if p == nil {
		t.Fatal("nothing is published")
	}
	if _, err := trust.Seen([]byte(p.Note)); err != nil {
		t.Fatal(err)
	}
	policy, err := verifier.ParsePolicy(trust.Policy)
	if err != nil {
		t.Fatal(err)
	}
	by, err := policy.Cosigned([]byte(p.Note))
	if err != nil {
		t.Fatal(err)
	}
	return by
}

// until waits for something that goroutines of the ledger do.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for !holds() {
		select {
		case <-t.Context().Done():
			t.Fatalf("in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func status(l *ledgertest.Ledger, name string) ledger.CosignerStatus {
	for _, c := range l.Status().Cosigners {
		if c.Name == name {
			return c
		}
	}
	return ledger.CosignerStatus{}
}

// TestCosigned: with witnesses and an auditor, reports say complete; over restarts,
// and with witnesses that are added and taken away.
func TestCosigned(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{})
	l.MustRecord(t, ledgertest.Share("before", "ada"))
	l.Check(t)
	w1, w2, w3 := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "w2", 2), ledgertest.NewWitness(t, l, "w3", 3)
	var replayed atomic.Uint64
	a1 := ledgertest.NewWitness(t, l, "a1", 4, func(c *witness.Config) {
		c.Before = func(_ context.Context, _ uint64, c verifier.Checkpoint, _ string) error {
			replayed.Store(c.Size)
			return nil
		}
	})
	size := l.Published().Size
	l.Cosign(t, ledgertest.Policy(2, []*ledgertest.Witness{w1, w2}, []*ledgertest.Witness{a1}), ledger.MissingWait)
	until(t, "the published state is cosigned", func() bool { return l.Status().SeenAt != "" })
	if l.Published().Size != size {
		t.Errorf("size %d instead of %d was cosigned", l.Published().Size, size)
	}
	if by := seen(t, l); len(by) != 3 || replayed.Load() != size {
		t.Errorf("cosigned by %v, replayed %d", by, replayed.Load())
	}
	for i := range 3 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i), "ada", fmt.Sprint("new-", i)))
		l.Check(t) // its reports are checked against the trust file
		if by := seen(t, l); len(by) != 3 {
			t.Errorf("cosigned by %v", by)
		}
		l.Reopen(t, ledgertest.Config{})
	}
	trust := l.Trust()
	if p, err := verifier.ParseTrust(trust.Marshal()); err != nil || strings.Contains(p.Policy, "http") {
		t.Errorf("%v, %v", p, err)
	}
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w3}, nil), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("other witness", "ada"))
	l.Check(t)
	if by := seen(t, l); len(by) != 1 || by["w3"] == 0 {
		t.Errorf("cosigned by %v", by)
	}
	l.Cosign(t, "", "")
	l.MustRecord(t, ledgertest.Share("nobody", "ada"))
	l.Check(t)
	if s := l.Status(); len(s.Cosigners) != 0 || s.Lacking != "" {
		t.Errorf("%+v", s)
	}
	// Back to those who have seen less: they get the newest with the right proof.
	l.Cosign(t, ledgertest.Policy(2, []*ledgertest.Witness{w1, w2, w3}, []*ledgertest.Witness{a1}), ledger.MissingWait)
	l.MustRecord(t, ledgertest.Share("back", "ada"))
	l.Check(t)
	seen(t, l)
	if l.Status().Alarms != 0 {
		t.Errorf("%+v", l.Status())
	}
}

// TestWitnessDown: what each policy does without its quorum. Recording is never
// held up but by "stop", and everything is published once the quorum is there.
func TestWitnessDown(t *testing.T) {
	for _, missing := range []string{ledger.MissingWait, ledger.MissingPublish, ledger.MissingStop} {
		t.Run(missing, func(t *testing.T) {
			cfg := ledgertest.Config{Tick: soon}
			l := ledgertest.New(t, cfg)
			w1, w2 := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "w2", 2)
			l.Cosign(t, ledgertest.Policy(2, []*ledgertest.Witness{w1, w2}, nil), missing)
			l.MustRecord(t, ledgertest.Share("one", "ada"))
			l.Check(t)
			seen(t, l)
			before := l.Published()
			w2.Down()
			a := l.MustRecord(t, ledgertest.Share("two", "ada"))
			p, err := l.WaitPublished(t.Context(), a.Index)
			if missing == ledger.MissingPublish {
				if err != nil || p.Lacks == "" {
					t.Errorf("published %+v, %v", p, err)
				}
				if _, err := l.Trust().Seen([]byte(p.Note)); err == nil {
					t.Error("its readers take it")
				}
			} else if !errors.Is(err, ledger.ErrQuorum) || l.Published().Size != before.Size {
				t.Errorf("published %+v, %v", l.Published(), err)
			}
			until(t, "it is said", func() bool {
				s := l.Status()
				return s.Lacking != "" && strings.Contains(s.Lacking, "w2") && s.Missing == missing && status(l, "w2").Problem != ""
			})
			switch _, err := l.TryRecord(t, ledgertest.Share("three", "ada", "grace")); {
			case missing == ledger.MissingStop && !errors.Is(err, ledger.ErrQuorum):
				t.Errorf("recorded: %v", err)
			case missing != ledger.MissingStop && err != nil:
				t.Error(err)
			}
			// It also is so after a restart.
			if err := l.Close(t); err != nil {
				t.Fatal(err)
			}
			err = l.TryOpen(t, cfg)
			if missing == ledger.MissingStop {
				if err == nil || !strings.Contains(err.Error(), "asking w2") {
					t.Fatalf("started without what w2 has seen: %v", err)
				}
				w2.Up()
				err = l.TryOpen(t, cfg)
			}
			if err != nil {
				t.Fatal(err)
			}
			if missing == ledger.MissingWait && l.Published().Size != before.Size {
				t.Errorf("size %d was shown after a restart", l.Published().Size)
			}
			w2.Up()
			until(t, "it is published once w2 is there", func() bool {
				s := l.Status()
				return s.Lacking == "" && s.SeenAt != "" && s.Pending == 0 && l.Published().Size > a.Index
			})
			l.MustRecord(t, ledgertest.Share("three", "ada", "grace"))
			l.Check(t)
			seen(t, l)
		})
	}
}

// TestSlowWitness: one that never answers holds up neither recording nor, where the
// quorum is met without it, what is published.
func TestSlowWitness(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{Patience: time.Hour})
	w1, slow := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "slow", 2)
	release := make(chan struct{})
	slow.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
		slow.Handler().ServeHTTP(w, r)
	}))
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w1, slow}, nil), ledger.MissingWait)
	for i := range 3 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("share-", i), "ada"))
		l.Check(t)
		if by := seen(t, l); by["w1"] == 0 || by["slow"] != 0 {
			t.Errorf("cosigned by %v", by)
		}
	}
	close(release)
	until(t, "the slow one has caught up", func() bool {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("more-", l.Status().Accepted), "ada"))
		l.Publish(t)
		return seen(t, l)["slow"] != 0
	})
	l.Check(t)
}

// TestLagging: a witness that was away gets the newest size, with a proof from what
// it signed last, also when the ledger has forgotten what that was.
func TestLagging(t *testing.T) {
	l := ledgertest.New(t, ledgertest.Config{Tick: soon})
	w1, w2 := ledgertest.NewWitness(t, l, "w1", 1), ledgertest.NewWitness(t, l, "w2", 2)
	l.Cosign(t, ledgertest.Policy(1, []*ledgertest.Witness{w1, w2}, nil), ledger.MissingWait)
	for round := range 3 {
		l.MustRecord(t, ledgertest.Share(fmt.Sprint("both-", round), "ada"))
		l.Publish(t)
		until(t, "w2 has signed", func() bool { return status(l, "w2").Size >= l.Published().Size })
		w2.Down()
		for i := range 4 {
			l.MustRecord(t, ledgertest.Share(fmt.Sprintf("away-%d-%d", round, i), "ada"))
			l.Publish(t)
		}
		if round == 1 {
			l.Reopen(t, ledgertest.Config{Tick: soon})
		}
		w2.Up()
		until(t, "w2 has caught up", func() bool {
			l.MustRecord(t, ledgertest.Share(fmt.Sprint("again-", l.Status().Accepted), "ada"))
			size := l.Publish(t).Size
			return status(l, "w2").Size >= size
		})
	}
	l.Check(t)
	if l.Status().Alarms != 0 {
		t.Errorf("%+v", l.Status())
	}
}
