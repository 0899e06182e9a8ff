package ledgertest

import (
	"bytes"
	"errors"
	"io/fs"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier"
)

// tiles reads the log as its readers do, under the checkpoint that stands beside
// the tiles: every leaf, every hash, the rules.
func (a *Audit) tiles() {
	a.t.Helper()
	src := tiles.Dir(a.parts.TilesDir())
	b, err := tiles.ReadCheckpoint(a.t.Context(), src)
	if errors.Is(err, fs.ErrNotExist) && a.published == 0 {
		return
	}
	if err != nil {
		a.t.Fatal(err)
	}
	key, err := note.NewVerifier(a.secrets.LogVerifier)
	if err != nil {
		a.t.Fatal(err)
	}
	n, err := note.Open(b, note.VerifierList(key))
	if err != nil {
		a.t.Fatalf("the checkpoint beside the tiles: %v", err)
	}
	c, err := verifier.ParseCheckpoint(n.Text)
	if err != nil || c.Size > a.published || c.Root != a.root(c.Size) {
		a.t.Fatalf("the checkpoint beside the tiles has size %d, %d is published: %v", c.Size, a.published, err)
	}
	under := &tiles.Tree{Source: src, Size: c.Size, Root: c.Root}
	for first := uint64(0); first < c.Size; first += tiles.Width {
		entries, err := tiles.ReadEntries(a.t.Context(), src, first/tiles.Width, int(min(tiles.Width, c.Size-first)))
		if err != nil {
			a.t.Fatal(err)
		}
		for i, e := range entries {
			if !bytes.Equal(e, a.entries[int(first)+i]) {
				a.fatal(int(first)+i, "the tiles have another one")
			}
		}
	}
	for i := uint64(0); i < c.Size; i += max(1, c.Size/16) {
		if h, err := under.LeafHash(a.t.Context(), i); err != nil || h != events.LeafHash(a.entries[i]) {
			a.fatal(int(i), "the tiles have another hash: %v", err)
		}
	}
	if doc, err := under.Rules(a.t.Context(), events.RulesHash(a.stored[0].Body)); err != nil || !bytes.Equal(doc, a.stored[0].Body) {
		a.t.Fatalf("the rules beside the tiles: %v", err)
	}
}
