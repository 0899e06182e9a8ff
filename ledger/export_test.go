package ledger

import (
	"slices"

	"github.com/sharetrail/sharetrail/internal/keystore"
)

// Shuffle orders events, each given by whose labels it carries, as build does,
// and returns their old places.
func Shuffle(parties [][]keystore.PartyID) []int {
	in := make([]planned, len(parties))
	for i, who := range parties {
		in[i] = planned{who: who, id: [16]byte{byte(i >> 8), byte(i)}}
	}
	var order []int
	for _, p := range shuffle(slices.Clone(in)) {
		order = append(order, int(p.id[0])<<8|int(p.id[1]))
	}
	return order
}
