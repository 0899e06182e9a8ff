package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/sharetrail/sharetrail/events"
	files "github.com/sharetrail/sharetrail/internal/sqlite"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/sqlite/viewdb"
)

var _ projections.View = (*View)(nil)

// View is one version of a read model, in a file of its own.
type View struct {
	db      *files.DB
	read    *viewdb.Queries // its statements are prepared on the connections that read
	write   *viewdb.Queries
	writers writers
	find    *sql.Stmt // findSequences
}

func newView(ctx context.Context, db *files.DB) (_ *View, err error) {
	v := &View{db: db}
	defer func() {
		if err != nil {
			err = errors.Join(err, v.Close())
		}
	}()
	if v.read, err = viewdb.Prepare(ctx, db.Read); err != nil {
		return nil, err
	}
	if v.write, err = viewdb.Prepare(ctx, db.Write); err != nil {
		return nil, err
	}
	if v.writers, err = prepareWriters(ctx, db.Write); err != nil {
		return nil, err
	}
	v.find, err = db.Read.PrepareContext(ctx, findSequences)
	return v, err
}

// Close implements [projections.View].
func (v *View) Close() error {
	err := v.writers.close()
	for _, q := range []*viewdb.Queries{v.read, v.write} {
		if q != nil {
			err = errors.Join(err, q.Close())
		}
	}
	if v.find != nil {
		err = errors.Join(err, v.find.Close())
	}
	return errors.Join(err, v.db.Close())
}

// snapshot runs queries on one snapshot.
func (v *View) snapshot(ctx context.Context, do func(*viewdb.Queries) error) error {
	return v.reading(ctx, func(tx *sql.Tx) error { return do(v.read.WithTx(tx)) })
}

func (v *View) reading(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := v.db.Read.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("reading a read model: %w", err)
	}
	defer tx.Rollback()
	if err := do(tx); err != nil {
		return fmt.Errorf("reading a read model: %w", err)
	}
	return nil
}

// State implements [projections.Rows].
func (v *View) State(ctx context.Context, labels []events.Hash) (s projections.State, err error) {
	err = v.reading(ctx, func(tx *sql.Tx) error {
		q := v.read.WithTx(tx)
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
		s.Sequences, err = sequencesOf(ctx, tx.StmtContext(ctx, v.find), labels)
		return err
	})
	return s, err
}

// Commit implements [projections.Rows].
func (v *View) Commit(ctx context.Context, c *projections.Changes) error {
	tx, err := v.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("committing to a read model: %w", err)
	}
	defer tx.Rollback()
	if err = v.changes(ctx, tx, c); err == nil {
		err = tx.Commit()
	}
	if err != nil {
		return fmt.Errorf("committing to a read model: %w", err)
	}
	return nil
}

func (v *View) changes(ctx context.Context, tx *sql.Tx, c *projections.Changes) error {
	q := v.write.WithTx(tx)
	moved, err := q.Advance(ctx, viewdb.AdvanceParams{Next: int64(c.Next), Was: int64(c.From), Turn: int64(c.Turn)})
	if err != nil {
		return err
	}
	if moved == 0 {
		return projections.ErrMoved
	}
	if err := v.writers.moveSequences(ctx, tx, c.Sequences); err != nil {
		return err
	}
	for _, p := range c.Parked {
		err := q.Park(ctx, viewdb.ParkParams{
			Party: int64(p.Party), LeafIndex: int64(p.Index), Class: p.Class, SinceMs: p.Since.UnixMilli(),
		})
		if err != nil {
			return err
		}
	}
	for _, party := range c.Unparked {
		if err := q.Unpark(ctx, int64(party)); err != nil {
			return err
		}
	}
	if err := v.writers.addEntries(ctx, tx, c.Entries); err != nil {
		return err
	}
	for i := range c.Recipients {
		if err := q.PutRecipient(ctx, viewdb.PutRecipientParams(toRecipient(&c.Recipients[i]))); err != nil {
			return err
		}
	}
	return shred(ctx, tx, c.Shredded)
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
		} else if !errors.Is(err, sql.ErrNoRows) {
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
			Party: int64(q.Party), First: number(q.From), UpTo: number(q.UpTo), AllKinds: q.Kind == "", Most: int64(q.Limit),
		})
	} else {
		var some []viewdb.EntriesOfKindRow
		some, err = db.EntriesOfKind(ctx, viewdb.EntriesOfKindParams{
			Party: int64(q.Party), First: number(q.From), UpTo: number(q.UpTo), Kind: string(q.Kind), Most: int64(q.Limit),
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
			After: q.After, Country: q.Country, Category: q.Category, Most: int64(q.Limit),
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
	rows, err := v.read.Descriptions(ctx, int64(party))
	if err != nil {
		return nil, fmt.Errorf("reading a read model: %w", err)
	}
	for _, r := range rows {
		all = append(all, fromRecipient(r))
	}
	return all, nil
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
