package sqlite

import (
	"database/sql"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/sqlite/viewdb"
)

func fromEntry(r viewdb.EntriesRow) projections.Entry {
	return projections.Entry{
		Party: projections.PartyID(r.Party), Number: uint64(r.Number),
		Index: uint64(r.LeafIndex), EventID: events.ID(r.EventID), Type: r.EventType, Recorded: time.UnixMilli(r.RecordedMs).UTC(),
		OccurredAt: r.OccurredAt, RecipientID: r.RecipientID, Recipient: r.Recipient,
		Country: r.Country, Category: r.Category, Facts: r.Facts, Record: fromAbout(r.Record), About: fromAbout(r.About), Private: r.Private,
	}
}

func toAbout(index *uint64) (about sql.NullInt64) {
	if index != nil {
		about = sql.NullInt64{Int64: int64(*index), Valid: true}
	}
	return about
}

func fromAbout(about sql.NullInt64) *uint64 {
	if !about.Valid {
		return nil
	}
	index := uint64(about.Int64)
	return &index
}

func toRecipient(d *projections.Description) viewdb.Recipient {
	r := d.Recipient
	digest, described := d.Digest(), int64(-1)
	if d.Described != nil {
		described = int64(*d.Described)
	}
	return viewdb.Recipient{
		Party: int64(d.Party), Digest: digest[:], ID: r.ID, LegalName: r.LegalName, Address: r.Address, Contact: r.Contact,
		Representative: r.Representative, Country: r.Country, Category: r.Category, Role: r.Role,
		FirstIndex: int64(d.FirstIndex), LastIndex: int64(d.LastIndex), Described: described, FirstMs: d.First.UnixMilli(), LastMs: d.Last.UnixMilli(),
		Shares: int64(d.Shares), Subjects: int64(d.Subjects),
	}
}

func fromRecipient(r viewdb.Recipient) projections.Description {
	var described *uint64
	if r.Described >= 0 {
		leaf := uint64(r.Described)
		described = &leaf
	}
	return projections.Description{
		Party: projections.PartyID(r.Party),
		Recipient: events.Recipient{
			ID: r.ID, LegalName: r.LegalName, Address: r.Address, Contact: r.Contact,
			Representative: r.Representative, Country: r.Country, Category: r.Category, Role: r.Role,
		},
		Described: described,
		Usage: projections.Usage{
			FirstIndex: uint64(r.FirstIndex), LastIndex: uint64(r.LastIndex),
			First: time.UnixMilli(r.FirstMs).UTC(), Last: time.UnixMilli(r.LastMs).UTC(),
			Shares: uint64(r.Shares), Subjects: uint64(r.Subjects),
		},
	}
}
