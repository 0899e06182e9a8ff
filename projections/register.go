package projections

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// Register is one page of the register of recipients.
type Register struct {
	AsOf       uint64       `json:"as_of" doc:"the revision that the rows want next"`
	Parked     int          `json:"parked" doc:"recipients of which events wait: shares of theirs are missing"`
	Recipients []Registered `json:"recipients"`
}

// Registered is a recipient as it was described last, and what else is known of
// it, each list in the order of the leaves.
type Registered struct {
	Description
	Relationships []Related `json:"relationships,omitempty" doc:"how it came to stand otherwise to the controller"`
	MergedInto    []Merged  `json:"merged_into,omitempty" doc:"which recipient it became part of"`
	Merged        []Merged  `json:"merged,omitempty" doc:"which recipients became part of it"`
	EngagedBy     []Engaged `json:"engaged_by,omitempty" doc:"as whose subprocessor"`
	Subprocessors []Engaged `json:"subprocessors,omitempty" doc:"whom it engages"`
}

// Related is a change of what a recipient is to the controller.
type Related struct {
	Event
	events.Relationship
	events.Change
}

// Merged is a merger of two recipients.
type Merged struct {
	Event
	events.Merger
	events.Change
}

// Engaged is a subprocessor that a recipient engages.
type Engaged struct {
	Event
	Subprocessor events.Recipient  `json:"subprocessor"`
	Engagement   events.Engagement `json:"engagement"`
	events.Change
}

// Recipients lists the register. Descriptions and counts of one page tell of one
// moment, the state that the page names.
func (m *ReadModel) Recipients(ctx context.Context, q RecipientQuery) (*Register, error) {
	q.Limit = min(max(q.Limit, 1), maxLimit)
	m.mu.RLock()
	defer m.mu.RUnlock()
	page, err := m.view.Recipients(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing recipients: %w", err)
	}
	slices.SortFunc(page.Standing, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.Party, b.Party), cmp.Compare(a.Number, b.Number))
	})
	standing := map[PartyID][]Entry{}
	for _, e := range slices.CompactFunc(page.Standing, func(a, b Entry) bool { return a.Party == b.Party && a.Number == b.Number }) {
		standing[e.Party] = append(standing[e.Party], e)
	}
	register := &Register{AsOf: page.Next, Parked: page.Parked, Recipients: []Registered{}}
	for _, d := range page.Recipients {
		r := Registered{Description: d}
		for i := range standing[d.Party] {
			if err := r.apply(&standing[d.Party][i]); err != nil {
				return nil, fmt.Errorf("listing recipients: %w", err)
			}
		}
		register.Recipients = append(register.Recipients, r)
	}
	return register, nil
}

// apply takes into account an entry of the recipient that is no description.
func (r *Registered) apply(e *Entry) error {
	at, id := e.event(), r.Recipient.ID
	switch e.Type {
	case events.TypeRelationshipChanged:
		var said events.RelationshipChanged
		err := e.read(&said)
		r.Relationships = append(r.Relationships, Related{at, said.Relationship, said.Change})
		return err
	case events.TypeRecipientsMerged:
		var said events.RecipientsMerged
		err := e.read(&said)
		if m := (Merged{at, said.Merger, said.Change}); said.Merger.From == id {
			r.MergedInto = append(r.MergedInto, m)
		} else {
			r.Merged = append(r.Merged, m)
		}
		return err
	case events.TypeSubprocessorAdded:
		var said events.SubprocessorAdded
		err := e.read(&said)
		if s := (Engaged{at, said.Recipient, said.Engagement, said.Change}); said.Recipient.ID == id {
			r.EngagedBy = append(r.EngagedBy, s)
		} else {
			r.Subprocessors = append(r.Subprocessors, s)
		}
		return err
	}
	return nil
}

// Descriptions returns what events said of one recipient, by first use.
func (m *ReadModel) Descriptions(ctx context.Context, id events.Identity) ([]Description, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	party, found, err := m.keys.Party(ctx, events.RoleRecipient, id)
	if err != nil || !found {
		return nil, err
	}
	return m.view.Descriptions(ctx, party.ID)
}

// Totals sums up the register by country and category, as each share named
// them, and returns the revision that this state wants next.
func (m *ReadModel) Totals(ctx context.Context) (next uint64, totals []Total, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.view.Totals(ctx)
}
