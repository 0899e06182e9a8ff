package postgres

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/postgres/viewdb"
)

var _ projections.View = (*View)(nil)

// View is one version of a read model, in a schema of its own.
type View struct{ pool *pgxpool.Pool }

// Close implements [projections.View].
func (v *View) Close() error {
	v.pool.Close()
	return nil
}

func (v *View) snapshot(ctx context.Context, do func(*viewdb.Queries) error) error {
	return snapshot(ctx, v.pool, func(tx pgx.Tx) error { return do(viewdb.New(tx)) })
}

// State implements [projections.Rows].
func (v *View) State(ctx context.Context, labels []events.Hash) (s projections.State, err error) {
	err = v.snapshot(ctx, func(q *viewdb.Queries) error {
		at, err := q.Progress(ctx)
		if err != nil {
			return err
		}
		s.Next, s.Turn = uint64(at.Next), uint64(at.Turn)
		parked, err := q.Parked(ctx)
		if err != nil {
			return err
		}
		for _, p := range parked {
			s.Parked = append(s.Parked, fromParked(p))
		}
		if len(labels) == 0 {
			return nil
		}
		found, err := q.Sequences(ctx, bytesOf(labels))
		for _, f := range found {
			s.Sequences = append(s.Sequences, projections.Sequence{
				Party: projections.PartyID(f.Party), Label: events.Hash(f.Label), Next: uint64(f.Next),
			})
		}
		return err
	})
	return s, err
}

func bytesOf(labels []events.Hash) [][]byte {
	out := make([][]byte, len(labels))
	for i := range labels {
		out[i] = labels[i][:]
	}
	return out
}

// Commit implements [projections.Rows].
func (v *View) Commit(ctx context.Context, c *projections.Changes) error {
	err := pgx.BeginFunc(ctx, v.pool, func(tx pgx.Tx) error {
		q := viewdb.New(tx)
		// First, because it locks the one row that a second runner would move: that
		// one waits here and then finds it moved, before it has written anything.
		moved, err := q.Advance(ctx, viewdb.AdvanceParams{Next: int64(c.Next), Was: int64(c.From), Turn: int64(c.Turn)})
		if err != nil {
			return err
		}
		if moved == 0 {
			return projections.ErrMoved
		}
		if err := sequences(ctx, q, c); err != nil {
			return err
		}
		if err := additions(ctx, q, c.Additions); err != nil {
			return err
		}
		return shred(ctx, tx, c.Shredded)
	})
	if err != nil {
		return fmt.Errorf("committing to a read model: %w", err)
	}
	return nil
}

func sequences(ctx context.Context, q *viewdb.Queries, c *projections.Changes) error {
	if len(c.Sequences) > 0 {
		var p viewdb.PutSequencesParams
		for i := range c.Sequences {
			s := &c.Sequences[i]
			p.Parties = append(p.Parties, int64(s.Party))
			p.Labels = append(p.Labels, s.Label[:])
			p.Nexts = append(p.Nexts, int64(s.Next))
		}
		if err := q.PutSequences(ctx, p); err != nil {
			return err
		}
	}
	for _, p := range c.Parked {
		err := q.Park(ctx, viewdb.ParkParams{
			Party: int64(p.Party), LeafIndex: int64(p.Index), Class: p.Class, SinceMs: p.Since.UnixMilli(),
		})
		if err != nil {
			return err
		}
	}
	if len(c.Unparked) == 0 {
		return nil
	}
	parties := make([]int64, len(c.Unparked))
	for i, p := range c.Unparked {
		parties[i] = int64(p)
	}
	return q.Unpark(ctx, parties)
}

func additions(ctx context.Context, q *viewdb.Queries, a projections.Additions) error {
	if err := addEntries(ctx, q, a.Entries); err != nil {
		return err
	}
	if len(a.Recipients) == 0 {
		return nil
	}
	var p viewdb.PutRecipientsParams
	for i := range a.Recipients {
		r := toRecipient(&a.Recipients[i])
		p.Parties, p.Digests = append(p.Parties, r.Party), append(p.Digests, r.Digest)
		p.Ids, p.LegalNames = append(p.Ids, r.ID), append(p.LegalNames, r.LegalName)
		p.Addresses, p.Contacts = append(p.Addresses, r.Address), append(p.Contacts, r.Contact)
		p.Representatives, p.Roles = append(p.Representatives, r.Representative), append(p.Roles, r.Role)
		p.Countries, p.Categories = append(p.Countries, r.Country), append(p.Categories, r.Category)
		p.FirstIndices, p.LastIndices = append(p.FirstIndices, r.FirstIndex), append(p.LastIndices, r.LastIndex)
		p.Described = append(p.Described, r.Described)
		p.FirstTimes, p.LastTimes = append(p.FirstTimes, r.FirstMs), append(p.LastTimes, r.LastMs)
		p.ShareCounts, p.SubjectCounts = append(p.ShareCounts, r.Shares), append(p.SubjectCounts, r.Subjects)
	}
	return q.PutRecipients(ctx, p)
}

func addEntries(ctx context.Context, q *viewdb.Queries, all []projections.Entry) error {
	if len(all) == 0 {
		return nil
	}
	var p viewdb.PutFactsParams
	for _, e := range projections.ByEvent(all) {
		p.LeafIndices, p.EventIds = append(p.LeafIndices, int64(e.Index)), append(p.EventIds, e.EventID[:])
		p.EventTypes, p.RecordedTimes = append(p.EventTypes, e.Type), append(p.RecordedTimes, e.Recorded.UnixMilli())
		p.OccurredAts, p.AllFacts = append(p.OccurredAts, e.OccurredAt), append(p.AllFacts, e.Facts)
		p.RecipientIds, p.Recipients = append(p.RecipientIds, e.RecipientID), append(p.Recipients, e.Recipient)
		p.Countries, p.Categories = append(p.Countries, e.Country), append(p.Categories, e.Category)
	}
	if err := q.PutFacts(ctx, p); err != nil {
		return err
	}
	rows := make([]viewdb.InsertEntriesParams, len(all))
	for i := range all {
		e := &all[i]
		rows[i] = viewdb.InsertEntriesParams{
			Party: int64(e.Party), Number: int64(e.Number), LeafIndex: int64(e.Index),
			Record: toAbout(e.Record), About: toAbout(e.About), Kind: pgtype.Text{String: string(e.Kind()), Valid: e.Kind() != projections.KindShare}, Private: e.Private,
		}
	}
	_, err := q.InsertEntries(ctx, rows)
	return err
}

// Entries implements [projections.Entries].
func (v *View) Entries(ctx context.Context, q projections.EntryQuery) (page projections.EntryPage, err error) {
	err = v.snapshot(ctx, func(db *viewdb.Queries) error {
		at, err := db.Progress(ctx)
		if err != nil {
			return err
		}
		page.Next = uint64(at.Next)
		parked, err := db.ParkedParty(ctx, int64(q.Party))
		if err == nil {
			p := fromParked(parked)
			page.Parked = &p
		} else if !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
		if page.Entries, err = entries(ctx, db, &q); err != nil || !q.Later || len(page.Entries) == 0 {
			return err
		}
		first, last := projections.Span(page.Entries)
		later, err := db.Later(ctx, viewdb.LaterParams{
			Party: int64(q.Party), UpTo: number(q.UpTo),
			First: number(first), Last: number(last),
		})
		for _, r := range later {
			page.Later = append(page.Later, fromEntry(viewdb.EntriesRow(r)))
		}
		return err
	})
	return page, err
}

func entries(ctx context.Context, db *viewdb.Queries, q *projections.EntryQuery) (all []projections.Entry, err error) {
	var rows []viewdb.EntriesRow
	if q.Kind == "" || q.Kind == projections.KindShare {
		rows, err = db.Entries(ctx, viewdb.EntriesParams{
			Party: int64(q.Party), First: number(q.From), UpTo: number(q.UpTo), AllKinds: q.Kind == "", Most: int32(q.Limit),
		})
	} else {
		var some []viewdb.EntriesOfKindRow
		some, err = db.EntriesOfKind(ctx, viewdb.EntriesOfKindParams{
			Party: int64(q.Party), First: number(q.From), UpTo: number(q.UpTo), Kind: string(q.Kind), Most: int32(q.Limit),
		})
		for _, r := range some {
			rows = append(rows, viewdb.EntriesRow(r))
		}
	}
	for _, r := range rows {
		all = append(all, fromEntry(r))
	}
	return all, err
}

// number is what a column holds: no number in it is greater.
func number(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// Recipients implements [projections.Recipients].
func (v *View) Recipients(ctx context.Context, q projections.RecipientQuery) (page projections.RecipientPage, err error) {
	err = v.snapshot(ctx, func(db *viewdb.Queries) error {
		at, err := db.Progress(ctx)
		if err != nil {
			return err
		}
		parked, err := db.Parked(ctx)
		if err != nil {
			return err
		}
		page.Next, page.Parked = uint64(at.Next), len(parked)
		rows, err := db.Recipients(ctx, viewdb.RecipientsParams{
			After: q.After, Country: q.Country, Category: q.Category, Most: int32(q.Limit),
		})
		for _, r := range rows {
			page.Recipients = append(page.Recipients, fromRecipient(viewdb.Recipient(r)))
		}
		if err != nil || len(rows) == 0 {
			return err
		}
		standing, err := db.Standing(ctx, viewdb.StandingParams{After: q.After, Last: rows[len(rows)-1].ID})
		for _, r := range standing {
			page.Standing = append(page.Standing, fromEntry(viewdb.EntriesRow(r)))
		}
		return err
	})
	return page, err
}

// Descriptions implements [projections.Recipients].
func (v *View) Descriptions(ctx context.Context, party projections.PartyID) (all []projections.Description, err error) {
	err = v.snapshot(ctx, func(db *viewdb.Queries) error {
		rows, err := db.Descriptions(ctx, int64(party))
		for _, r := range rows {
			all = append(all, fromRecipient(r))
		}
		return err
	})
	return all, err
}

// Totals implements [projections.Recipients].
func (v *View) Totals(ctx context.Context) (next uint64, totals []projections.Total, err error) {
	err = v.snapshot(ctx, func(db *viewdb.Queries) error {
		at, err := db.Progress(ctx)
		if err != nil {
			return err
		}
		next = uint64(at.Next)
		rows, err := db.Totals(ctx)
		for _, r := range rows {
			totals = append(totals, projections.Total{
				Country: r.Country, Category: r.Category,
				Recipients: uint64(r.Recipients), Shares: uint64(r.Shares), Subjects: uint64(r.Subjects),
			})
		}
		return err
	})
	return next, totals, err
}

func fromParked(p viewdb.Parked) projections.Parked {
	return projections.Parked{
		Party: projections.PartyID(p.Party), Index: uint64(p.LeafIndex), Class: p.Class, Since: time.UnixMilli(p.SinceMs).UTC(),
	}
}
