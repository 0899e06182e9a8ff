package ledger_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// state.db does not tell which events are about which: after an erasure it would
// go on to link those of the person.
func TestStateFileLinksNothing(t *testing.T) {
	s := newSealing(t)
	a := s.MustRecord(t, ledgertest.Share("share", "ada"))
	s.do("retract", &decide.Retract{ID: a.ID, Ground: "duplicate"})
	s.Publish(t)
	if err := s.Close(t); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(s.Dir, "state.db"))
	if err != nil || len(file) < 4096 {
		t.Fatal(len(file), err)
	}
	for what, told := range map[string][]byte{"a type": []byte(events.TypeDisclosureRetracted), "an id": a.ID[:]} {
		if bytes.Contains(file, told) {
			t.Errorf("the file tells %s", what)
		}
	}
}
