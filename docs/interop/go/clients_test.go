package interop

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/torchwood"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/tlog"
)

// leafHashes hashes the leaves of a bundle as RFC 6962 does.
func leafHashes(bundle []byte) (hashes [][]byte, err error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	for _, e := range b.Entries {
		hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return hashes, nil
}

// TestTessera: its fsck finds the log whole, and its client proves inclusion and
// consistency from the tiles.
func TestTessera(t *testing.T) {
	l := newLedger(t)
	small, _, _, err := client.FetchCheckpoint(t.Context(), l.fetcher(t).ReadCheckpoint, l.shows, origin)
	if err != nil {
		t.Fatal(err)
	}
	l.grow(t, 300)
	f := l.fetcher(t)
	if err := fsck.New(origin, l.shows, f, leafHashes, fsck.Opts{N: 2}).Check(t.Context()); err != nil {
		t.Errorf("fsck: %v", err)
	}
	c, _, _, err := client.FetchCheckpoint(t.Context(), f.ReadCheckpoint, l.shows, origin)
	if err != nil || c.Size < 1000 || small.Size >= c.Size {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, small.Size, c.Size, l.consistency(t, t.Context(), small.Size, c.Size), small.Hash, c.Hash); err != nil {
		t.Errorf("consistency: %v", err)
	}
	b, err := client.NewProofBuilder(t.Context(), c.Size, f.ReadTile)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := client.FetchLeafHashes(t.Context(), f.ReadTile, 0, c.Size, c.Size)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); i < c.Size; i += 37 {
		p, err := b.InclusionProof(t.Context(), i)
		if err == nil {
			err = proof.VerifyInclusion(rfc6962.DefaultHasher, i, c.Size, leaves[i], p, c.Hash)
		}
		if err != nil {
			t.Errorf("inclusion of leaf %d: %v", i, err)
		}
	}
	edit(t, filepath.Join(l.tiles(), "tile", "entries", "001"))
	if err := fsck.New(origin, l.shows, l.fetcher(t), leafHashes, fsck.Opts{N: 2}).Check(t.Context()); err == nil {
		t.Error("fsck does not find a changed leaf")
	}
}

func edit(t *testing.T, path string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err == nil {
		b[len(b)-1] ^= 1
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTorchwood: its client reads every leaf, and its VerifyProof takes a receipt
// under the trust file's policy.
func TestTorchwood(t *testing.T) {
	l := newLedger(t)
	var trust struct{ Log, Policy string }
	l.trust(t, &trust)
	policy, err := torchwood.ParsePolicy([]byte(trust.Policy))
	if err != nil {
		t.Fatalf("the trust file's policy: %v", err)
	}
	c, _, err := torchwood.VerifyCheckpoint(l.checkpoint(t), policy)
	if err != nil || c.Origin != origin {
		t.Fatalf("%+v, %v", c, err)
	}
	fetcher, err := torchwood.NewTileFetcher(l.serve(t).String())
	if err != nil {
		t.Fatal(err)
	}
	reader, err := torchwood.NewClient(fetcher)
	if err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for i, entry := range reader.AllEntries(t.Context(), c.Tree, 0) {
		if i != n || len(entry) == 0 {
			t.Fatalf("leaf %d comes as %d", n, i)
		}
		n++
	}
	if err := reader.Err(); err != nil || n != c.N {
		t.Errorf("%d of %d leaves: %v", n, c.N, err)
	}
	var recorded struct{ ID string }
	said := l.run(t, "record", "--json", "--subject", "email:ada@example.com", "--recipient", "org:northwind", "--recipient-name", "Northwind (sample)",
		"--country", "US", "--category", "processor", "--reason", "vendor_on_behalf", "--shared", "name", "--statement", "privacy-statement/2017-01")
	if err := json.Unmarshal([]byte(said), &recorded); err != nil {
		t.Fatal(err)
	}
	receipt := l.run(t, "receipt", recorded.ID)
	extra, err := torchwood.ProofExtraData([]byte(receipt))
	if err != nil {
		t.Fatal(err)
	}
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(extra), []byte(receipt)); err != nil {
		t.Errorf("the receipt: %v", err)
	}
	extra[20] ^= 1
	if err := torchwood.VerifyProof(policy, tlog.RecordHash(extra), []byte(receipt)); err == nil {
		t.Error("the receipt is one for another leaf too")
	}
}
