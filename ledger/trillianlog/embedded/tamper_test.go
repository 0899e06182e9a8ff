package embedded_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

type adminTX = storage.AdminTX

// TestTriggers edits the file while it still has its triggers.
func TestTriggers(t *testing.T) {
	path := newPath(t)
	server := open(t, embedded.Config{Path: path})
	id := createLog(t, server)
	add(t, server, id, 0, 8)
	integrate(t, server, id, 8)
	for _, s := range []string{
		"UPDATE leaves SET value = x'00' WHERE seq = 3",
		"DELETE FROM leaves WHERE seq = 7",
		"DELETE FROM leaves",
		"UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0",
		"DELETE FROM nodes",
	} {
		if err := edit(t, path, s); err == nil || !strings.Contains(err.Error(), "immutable") {
			t.Errorf("%s: %v", s, err)
		}
	}
	if _, err := server.Verify(t.Context(), id); err != nil {
		t.Error(err)
	}
}

var dropTriggers = []string{
	"DROP TRIGGER leaves_update", "DROP TRIGGER leaves_delete", "DROP TRIGGER nodes_update", "DROP TRIGGER nodes_delete",
}

// TestTamper edits a log of 11 leaves (right edge: node 0 of level 3, node 4 of
// level 1, leaf 10) with the triggers dropped, and says what notices.
func TestTamper(t *testing.T) {
	for name, c := range map[string]struct {
		statement string
		leaf      bool // leaf 2's bytes no longer have its stored hash
		proof     bool // leaf 3's proof no longer verifies, or there is none
		integrate bool // the sequencer refuses to go on
	}{
		"leaf value":           {statement: "UPDATE leaves SET value = x'00' WHERE seq = 2", leaf: true},
		"leaf hash":            {statement: "UPDATE leaves SET merkle_hash = zeroblob(32) WHERE seq = 2", leaf: true, proof: true},
		"leaf deleted":         {statement: "DELETE FROM leaves WHERE seq = 2", leaf: true, proof: true},
		"inner node":           {statement: "UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 0", proof: true},
		"node on the edge":     {statement: "UPDATE nodes SET hash = zeroblob(32) WHERE level = 1 AND idx = 4", proof: true, integrate: true},
		"node deleted":         {statement: "DELETE FROM nodes WHERE level = 2 AND idx = 1", proof: true},
		"last leaf's hash":     {statement: "UPDATE leaves SET merkle_hash = zeroblob(32) WHERE seq = 10", proof: true, integrate: true},
		"root hash":            {statement: "UPDATE heads SET log_root = CAST(substr(log_root, 1, 20) || zeroblob(1) || substr(log_root, 22) AS BLOB)", proof: true, integrate: true},
		"whole leaf exchanged": {statement: "UPDATE leaves SET (value, merkle_hash) = (SELECT value, merkle_hash FROM leaves WHERE seq = 5) WHERE seq = 2", proof: true},
	} {
		t.Run(name, func(t *testing.T) {
			path := newPath(t)
			server := open(t, embedded.Config{Path: path})
			id := createLog(t, server)
			add(t, server, id, 0, 11)
			integrate(t, server, id, 11)
			if err := server.Close(); err != nil {
				t.Fatal(err)
			}
			if err := edit(t, path, append(dropTriggers, c.statement)...); err != nil {
				t.Fatal(err)
			}
			server = open(t, embedded.Config{Path: path})
			if got := !leafHolds(t, server, id, 2); got != c.leaf {
				t.Errorf("leaf 2 noticed: %t, want %t", got, c.leaf)
			}
			if got := !proofHolds(t, server, id, 3); got != c.proof {
				t.Errorf("the proof noticed: %t, want %t", got, c.proof)
			}
			if _, err := server.Verify(t.Context(), id); !errors.Is(err, embedded.ErrDamaged) {
				t.Errorf("Verify() = %v, want ErrDamaged", err)
			}
			add(t, server, id, 11, 1)
			if _, err := server.Integrate(t.Context(), id); (err != nil) != c.integrate {
				t.Errorf("Integrate() = %v, want an error: %t", err, c.integrate)
			}
		})
	}
}

func leafHolds(t *testing.T, server *embedded.Server, id, index int64) bool {
	t.Helper()
	resp, err := trillian.NewTrillianLogClient(server.Conn()).GetLeavesByRange(t.Context(), &trillian.GetLeavesByRangeRequest{LogId: id, StartIndex: index, Count: 1})
	if err != nil || len(resp.Leaves) != 1 {
		return false
	}
	return string(rfc6962.DefaultHasher.HashLeaf(resp.Leaves[0].LeafValue)) == string(resp.Leaves[0].MerkleLeafHash)
}

func proofHolds(t *testing.T, server *embedded.Server, id, index int64) bool {
	t.Helper()
	resp, err := trillian.NewTrillianLogClient(server.Conn()).GetEntryAndProof(t.Context(), &trillian.GetEntryAndProofRequest{LogId: id, LeafIndex: index, TreeSize: 11})
	if err != nil {
		return false
	}
	hash := rfc6962.DefaultHasher.HashLeaf(resp.Leaf.LeafValue)
	return proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(index), 11, hash, resp.Proof.Hashes, root(t, server, id).RootHash) == nil
}
