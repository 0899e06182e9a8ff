package ledger

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// Pseudonym is what stands in events for an actor, where two of them must differ:
// nobody without the ledger's secret can tell whose it is.
func (l *Ledger) Pseudonym(actor string) string {
	mac := hmac.New(sha256.New, l.secrets.Ledger[:])
	mac.Write([]byte("sharetrail/v1/actor\x00" + actor))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// PendingClosure is a request for the end of somebody's generation that nobody has
// confirmed or declined.
type PendingClosure struct {
	ID      events.ID `json:"id"`
	Index   uint64    `json:"index" doc:"leaf"`
	Subject string    `json:"subject" doc:"whom it is about, namespace:local"`
	events.Closure
	Expired bool `json:"expired,omitempty" doc:"it cannot be confirmed any more"`
}

// PendingClosures returns the requests that wait to be confirmed or declined, in the
// order in which they were made.
func (l *Ledger) PendingClosures(ctx context.Context) ([]PendingClosure, error) {
	l.mu.RLock()
	waiting := slices.Clone(l.state.requests)
	l.mu.RUnlock()
	all := []PendingClosure{}
	for _, index := range waiting {
		var t decide.Target
		if err := l.readTarget(ctx, &t, map[uint64]int{}, index, 1<<63); err != nil {
			if l.over(index) { // meanwhile
				continue
			}
			return nil, err
		}
		request, ok := t.Event.(*events.ClosureRequested)
		if !ok || t.Ended != "" || len(t.Parties) == 0 {
			continue
		}
		until, err := time.Parse(time.RFC3339, request.Closure.Until)
		all = append(all, PendingClosure{
			ID: t.ID, Index: index, Subject: t.Parties[0].ID.String(), Closure: request.Closure, Expired: err != nil || l.now().After(until),
		})
	}
	return all, nil
}

// over reports whether the generation of whoever an event concerned has ended.
func (l *Ledger) over(index uint64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.state.over(index)
}

func (s *state) over(index uint64) bool {
	return !slices.ContainsFunc(s.owners.of(index), func(id keystore.PartyID) bool {
		seq := s.sequences[id]
		return seq != nil && seq.closed == nil
	})
}
