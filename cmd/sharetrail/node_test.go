package main

import (
	"errors"
	"path/filepath"

	"testing"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
)

// TestNodeListen: another program on the machine reads the ledger's events with a
// client of its own, and cannot append to them.
func TestNodeListen(t *testing.T) {
	in, err := openInstance(t.Context(), instanceConfig{
		dir: filepath.Join(t.TempDir(), "data"), id: "node", origin: "sharetrail.example/node", create: true,
		private: true, nodeListen: "127.0.0.1:0", log: zap.NewNop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := in.close(); err != nil {
			t.Error(err)
		}
	}()
	other, err := esdb.Open(t.Context(), esdb.Config{Connection: "esdb://" + in.nodeAddress + "?tls=false"})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	n := 0
	for e, err := range other.Read(t.Context(), in.ledger.Stream(), 0, 10) {
		if err != nil || e.Type != events.TypeState {
			t.Errorf("read %+v, %v", e, err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("read %d events of a new ledger", n)
	}
	forged := events.Proposed{ID: events.ID{1}, Type: "DisclosureRecorded", Data: []byte("x")}
	for _, stream := range []string{in.ledger.Stream(), in.ledger.Stream() + "-checkpoints"} {
		if _, err := other.Append(t.Context(), stream, 0, forged); !errors.Is(err, esdb.ErrDenied) {
			t.Errorf("a stranger appended to %s: %v", stream, err)
		}
	}
	if _, err := other.Append(t.Context(), "of-its-own", events.NoStream, forged); err != nil {
		t.Errorf("a stream of its own: %v", err)
	}
}
