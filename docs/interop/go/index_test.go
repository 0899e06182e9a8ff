package interop

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"filippo.io/torchwood/prefix"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// TestPrefix: whether a label is there, our index and Torchwood's prefix tree say
// alike, each with a proof of its own. (They hash differently: roots do not compare.)
func TestPrefix(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	draw := func() (label [32]byte) {
		label = sha256.Sum256(binary.BigEndian.AppendUint64(nil, random.Uint64N(4000)))
		if random.IntN(4) == 0 { // near to another one
			label[31] ^= byte(random.IntN(3))
		}
		return label
	}
	store := prefix.NewMemoryStorage()
	if err := prefix.InitStorage(t.Context(), sha256.Sum256, store); err != nil {
		t.Fatal(err)
	}
	theirs, ours := prefix.NewTree(sha256.Sum256, store), index.Empty()
	there := map[[32]byte]bool{}
	for range 40 {
		var batch []index.Entry
		for range 50 {
			label := draw()
			if there[label] {
				continue
			}
			there[label] = true
			value := sha256.Sum256(label[:])
			batch = append(batch, index.Entry{Label: label, Value: value})
			if err := theirs.Insert(t.Context(), label, value); err != nil {
				t.Fatal(err)
			}
		}
		var err error
		if ours, err = ours.Insert(batch); err != nil {
			t.Fatal(err)
		}
		root, err := theirs.RootHash(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 50 {
			label := draw()
			found, proof, err := theirs.Lookup(t.Context(), label)
			if err != nil {
				t.Fatal(err)
			}
			if found {
				err = prefix.VerifyMembershipProof(sha256.Sum256, label, sha256.Sum256(label[:]), proof, root)
			} else {
				err = prefix.VerifyNonMembershipProof(sha256.Sum256, label, proof, root)
			}
			_, ourFound, ourErr := ours.Lookup(label)
			_, _, memberErr := ours.ProveMember(label)
			_, absentErr := ours.ProveAbsent(label)
			if err != nil || ourErr != nil || found != ourFound || (memberErr == nil) != found || (absentErr == nil) == found {
				t.Fatalf("found %v and %v: %v, %v, %v", found, ourFound, err, memberErr, absentErr)
			}
		}
	}
}
