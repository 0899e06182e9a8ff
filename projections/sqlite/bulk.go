package sqlite

import (
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
)

// rowsAtOnce is how many rows one statement writes when there are enough. Most of
// what a row costs is the statement around it.
const rowsAtOnce = 50

// bulk writes rows into one table.
type bulk struct{ many, one *sql.Stmt }

// prepareBulk prepares INSERT INTO the table of a list of columns.
func prepareBulk(ctx context.Context, db *sql.DB, table string, columns []string, conflict string) (*bulk, error) {
	row := "(?" + strings.Repeat(", ?", len(columns)-1) + ")"
	text := "INSERT INTO " + table + " (" + strings.Join(columns, ", ") + ") VALUES " + row
	one, err := db.PrepareContext(ctx, text+conflict)
	if err != nil {
		return nil, err
	}
	many, err := db.PrepareContext(ctx, text+strings.Repeat(", "+row, rowsAtOnce-1)+conflict)
	if err != nil {
		return nil, errors.Join(err, one.Close())
	}
	return &bulk{many, one}, nil
}

func (b *bulk) close() error { return errors.Join(b.many.Close(), b.one.Close()) }

// write adds n rows, whose values fill appends in the order of the columns.
func (b *bulk) write(ctx context.Context, tx *sql.Tx, n int, fill func(values []any, i int) []any) error {
	if n == 0 {
		return nil
	}
	many, one := tx.StmtContext(ctx, b.many), tx.StmtContext(ctx, b.one)
	var values []any
	for i := 0; i < n; {
		next, statement := i+1, one
		if n-i >= rowsAtOnce {
			next, statement = i+rowsAtOnce, many
		}
		values = values[:0]
		for ; i < next; i++ {
			values = fill(values, i)
		}
		if _, err := statement.ExecContext(ctx, values...); err != nil {
			return err
		}
	}
	return nil
}

// writers are the tables that grow with the stream.
type writers struct{ sequences, facts, entries *bulk }

func prepareWriters(ctx context.Context, db *sql.DB) (w writers, err error) {
	w.sequences, err = prepareBulk(ctx, db, "sequence", []string{"party", "label", "next"},
		" ON CONFLICT (party) DO UPDATE SET label = excluded.label, next = excluded.next")
	if err != nil {
		return w, err
	}
	// The fact of another party's entry may be there.
	w.facts, err = prepareBulk(ctx, db, "fact", []string{
		"leaf_index", "event_id", "event_type", "recorded_ms", "occurred_at", "recipient_id", "recipient", "country", "category", "facts",
	}, " ON CONFLICT (leaf_index) DO NOTHING")
	if err != nil {
		return w, errors.Join(err, w.close())
	}
	w.entries, err = prepareBulk(ctx, db, "entry", []string{"party", "number", "leaf_index", "record", "about", "kind", "private"}, "")
	if err != nil {
		return w, errors.Join(err, w.close())
	}
	return w, nil
}

func (w *writers) close() (err error) {
	for _, b := range []*bulk{w.sequences, w.facts, w.entries} {
		if b != nil {
			err = errors.Join(err, b.close())
		}
	}
	return err
}

func (w *writers) moveSequences(ctx context.Context, tx *sql.Tx, all []projections.Sequence) error {
	return w.sequences.write(ctx, tx, len(all), func(values []any, i int) []any {
		s := &all[i]
		return append(values, int64(s.Party), s.Label[:], int64(s.Next))
	})
}

func (w *writers) addEntries(ctx context.Context, tx *sql.Tx, all []projections.Entry) error {
	facts := projections.ByEvent(all)
	err := w.facts.write(ctx, tx, len(facts), func(values []any, i int) []any {
		e := facts[i]
		return append(values, int64(e.Index), e.EventID[:], e.Type, e.Recorded.UnixMilli(), e.OccurredAt,
			e.RecipientID, e.Recipient, e.Country, e.Category, e.Facts)
	})
	if err != nil {
		return err
	}
	return w.entries.write(ctx, tx, len(all), func(values []any, i int) []any {
		e := &all[i]
		kind, share := string(e.Kind()), e.Kind() == projections.KindShare
		return append(values, int64(e.Party), int64(e.Number), int64(e.Index),
			toAbout(e.Record), toAbout(e.About), sql.NullString{String: kind, Valid: !share}, e.Private)
	})
}

// findSequences is the one query that takes a list: as JSON, because a list of
// parameters would be another statement for each length.
const findSequences = "SELECT party, label, next FROM sequence WHERE label IN (SELECT unhex(value) FROM json_each(?))"

func sequencesOf(ctx context.Context, find *sql.Stmt, labels []events.Hash) (all []projections.Sequence, err error) {
	if len(labels) == 0 {
		return nil, nil
	}
	texts := make([]string, len(labels))
	for i := range labels {
		texts[i] = hex.EncodeToString(labels[i][:])
	}
	list, err := json.Marshal(texts)
	if err != nil {
		return nil, err
	}
	rows, err := find.QueryContext(ctx, string(list))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s projections.Sequence
		var label []byte
		if err := rows.Scan(&s.Party, &label, &s.Next); err != nil {
			return nil, err
		}
		s.Label = events.Hash(label)
		all = append(all, s)
	}
	return all, rows.Err()
}
