package ledger_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// TestScavenged hides events of the ledger's stream, as an administrator of the
// event store can by its metadata; a scavenge would make it final. No start goes on
// from there, with or without the state's own file. When the events are back,
// nothing was lost.
func TestScavenged(t *testing.T) {
	for name, m := range map[string]esdb.Metadata{
		"truncated":     {TruncateBefore: 3},
		"all of it":     {TruncateBefore: 1 << 20},
		"all but a few": {MaxCount: 2},
		"all but one":   {MaxCount: 1},
	} {
		t.Run(name, func(t *testing.T) {
			l := ledgertest.New(t, ledgertest.Config{})
			l.MustRecord(t, ledgertest.Share("one", "ada"))
			l.MustRecord(t, ledgertest.Share("two", "grace"))
			l.Check(t)
			if err := l.Close(t); err != nil {
				t.Fatal(err)
			}
			describe(t, l, events.NoStream, m)
			for _, lost := range []string{"", "state.db"} {
				if lost != "" {
					if err := os.Remove(filepath.Join(l.Dir, lost)); err != nil {
						t.Fatal(err)
					}
				}
				err := l.TryOpen(t, ledgertest.Config{})
				if err == nil {
					t.Fatalf("a ledger whose stream was cut starts; lost besides: %q", lost)
				}
				t.Log(err)
			}
			describe(t, l, 0, esdb.Metadata{})
			l.Open(t, ledgertest.Config{})
			l.MustRecord(t, ledgertest.Share("three", "ada"))
			l.Check(t)
		})
	}
}

// describe sets the metadata of the ledger's stream, while no ledger runs.
func describe(t *testing.T, l *ledgertest.Ledger, at events.Expected, m esdb.Metadata) {
	t.Helper()
	parts, err := ledgertest.OpenParts(t.Context(), l.Dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := parts.Store.SetStreamMetadata(t.Context(), ledger.Stream(ledgertest.ID), at, m); err != nil {
		t.Fatal(err)
	}
	if err := parts.Close(); err != nil {
		t.Fatal(err)
	}
}
