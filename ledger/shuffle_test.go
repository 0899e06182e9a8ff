package ledger_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger"
)

// TestShuffleKeepsSequences: every event comes once, and no party's events
// change places.
func TestShuffleKeepsSequences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parties := rapid.SliceOfN(rapid.SliceOfNDistinct(rapid.Map(rapid.IntRange(1, 6), func(i int) keystore.PartyID {
			return keystore.PartyID(i)
		}), 1, 4, rapid.ID), 0, 20).Draw(t, "parties")
		order := ledger.Shuffle(parties)
		seen, last := map[int]bool{}, map[keystore.PartyID]int{}
		for _, i := range order {
			for _, id := range parties[i] {
				if before, ok := last[id]; ok && before > i {
					t.Fatalf("event %d of party %d comes behind event %d", i, id, before)
				}
				last[id] = i
			}
			seen[i] = true
		}
		if len(seen) != len(parties) || len(order) != len(parties) {
			t.Fatalf("%d events became %v", len(parties), order)
		}
	})
}

// TestShuffleIsUniform draws orders of four strangers, which must be uniform
// (the bound is passed by chance once in a million), and of a pair and a
// stranger, of which every order must come.
func TestShuffleIsUniform(t *testing.T) {
	for _, c := range []struct {
		parties [][]keystore.PartyID
		orders  int
		bound   float64
	}{
		{[][]keystore.PartyID{{1}, {2}, {3}, {4}}, 24, 80},
		{[][]keystore.PartyID{{1}, {1}, {2}}, 3, math.Inf(1)},
	} {
		const draws = 6000
		counts := map[string]int{}
		for range draws {
			var key []byte
			for _, i := range ledger.Shuffle(c.parties) {
				key = append(key, byte('0'+i))
			}
			counts[string(key)]++
		}
		expected, chi := float64(draws)/float64(c.orders), 0.0
		for _, n := range counts {
			chi += (float64(n) - expected) * (float64(n) - expected) / expected
		}
		if len(counts) != c.orders || chi > c.bound {
			t.Errorf("%v came in %d orders of %d, chi squared %.1f: %v", c.parties, len(counts), c.orders, chi, counts)
		}
	}
}

// TestShuffleOfOneRecipient is the longest search for the next event: all share
// one party.
func TestShuffleOfOneRecipient(t *testing.T) {
	parties := make([][]keystore.PartyID, 512)
	for i := range parties {
		parties[i] = []keystore.PartyID{keystore.PartyID(i + 2), 1}
	}
	if order := ledger.Shuffle(parties); !slices.IsSorted(order) {
		t.Error("the recipient's events changed places")
	}
}
