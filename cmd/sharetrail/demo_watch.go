package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/sharetrail/sharetrail/ledger"
)

// neighbours are the witness and the auditor of the demo.
type neighbours struct {
	dir              string // in the data directory
	tiles            string // what the auditor replays
	verify           []string
	witness, auditor *neighbour
}

// watchedTrust is the trust file that they know the ledger by: of its beginning, when
// nobody cosigned yet.
const watchedTrust = "ledger.json"

// again starts those of an earlier demo on the same directory, if there was one.
func (w *neighbours) again(ctx context.Context) error {
	trust := filepath.Join(w.dir, watchedTrust)
	if _, err := os.Stat(trust); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	var err error
	if w.witness, err = startNeighbour(ctx, w.verify, filepath.Join(w.dir, "witness"), "witness",
		"witness", "--log", trust, "--state", filepath.Join(w.dir, "witness", "state")); err != nil {
		return err
	}
	w.auditor, err = startNeighbour(ctx, w.verify, filepath.Join(w.dir, "auditor"), "auditor",
		"audit", "--trust", trust, "--state", filepath.Join(w.dir, "auditor", "state"), w.tiles)
	return err
}

// first starts those of a ledger that nobody has seen before.
func (w *neighbours) first(ctx context.Context, trust []byte) error {
	if w.witness != nil {
		return nil
	}
	if err := errors.Join(os.MkdirAll(w.dir, 0o700), os.WriteFile(filepath.Join(w.dir, watchedTrust), trust, 0o600)); err != nil {
		return fmt.Errorf("starting the demo's witness: %w", err)
	}
	return w.again(ctx)
}

// stop ends both.
func (w *neighbours) stop() {
	for _, n := range []*neighbour{w.witness, w.auditor} {
		if n != nil {
			n.stop() // it may have ended; nothing depends on how
		}
	}
}

// watched has the ledger ask both from now on.
func (s *story) watched(ctx context.Context) error {
	w, a := s.watchers.witness, s.watchers.auditor
	policy := fmt.Sprintf("witness %s %s %s\nwitness %s %s %s\ngroup witnesses all %s\ngroup auditors all %s\ngroup both all witnesses auditors\nquorum both\n",
		w.Name, w.Key, w.URL, a.Name, a.Key, a.URL, w.Name, a.Name)
	if _, err := s.client.SetPolicy(ctx, ledger.Publication{Policy: policy, Missing: ledger.MissingWait}); err != nil {
		return err
	}
	s.say("Two processes of their own, on the same machine, sign what it publishes. Real ones are somebody else's.\n"+
		"   a witness sees that it only grows   %s\n   an auditor replays every leaf       %s\n", w.Key, a.Key)
	return nil
}
