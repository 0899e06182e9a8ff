package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// ErrDisagree says that the read model and the log tell different things about
// a party. No report is handed out then.
var ErrDisagree = errors.New("the read model and the log disagree; rebuild the read model")

// constantNotice stands in every report, whoever it is about, so that it says
// nothing about anyone.
const constantNotice = "The law may delay notice of some disclosures. Such disclosures, if any, appear in later reports."

// Prover proves what the ledger holds about a party, everything under one
// published state.
type Prover interface {
	Prove(ctx context.Context, q verifier.Query) (verifier.Evidence, error)
}

// Reports writes report files and answers listings.
type Reports struct {
	Prover Prover
	Rows   *ReadModel
	Runner *Runner
	Trust  *verifier.Trust
	Key    note.Signer
	Now    func() time.Time
}

// Report is a finished report: the file, and what its own check said of it.
type Report struct {
	File    []byte
	Verdict *verifier.Verdict
}

// ListBySubject lists the shares that concern a person.
func (r *Reports) ListBySubject(ctx context.Context, id events.Identity, q ListQuery) (*Listing, error) {
	return r.Rows.List(ctx, events.RoleSubject, id, q)
}

// ListByRecipient lists what a recipient received, with nothing that names or
// describes a subject.
func (r *Reports) ListByRecipient(ctx context.Context, id events.Identity, q ListQuery) (*Listing, error) {
	return r.Rows.List(ctx, events.RoleRecipient, id, q)
}

// Write makes the report about a subject, a recipient or the controller. It waits until the read
// model has everything under the checkpoint, compares the two, and checks the
// file as its reader will before handing it out. ErrParked if the read model is
// incomplete about the party.
func (r *Reports) Write(ctx context.Context, q verifier.Query) (*Report, error) {
	if handlers[q.Role] == nil {
		return nil, fmt.Errorf("writing a report: there are no rows about a %s", q.Role)
	}
	evidence, err := r.Prover.Prove(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	if err := r.Runner.WaitFor(ctx, evidence.State.Index, Name); err != nil {
		return nil, fmt.Errorf("waiting for the read model: %w", err)
	}
	rows, err := r.Rows.all(ctx, q.Role, q.ID, EntryQuery{UpTo: evidence.State.Index})
	if err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	if !agree(rows.Entries, evidence.Entries) {
		return nil, fmt.Errorf("writing a report: %w", ErrDisagree)
	}
	file, err := verifier.FormatReport(&verifier.Report{
		Trust:    string(r.Trust.Canonical()),
		Evidence: evidence,
		Statement: verifier.Statement{
			GeneratedAt: r.Now().UTC().Format(time.RFC3339), Notice: constantNotice,
		},
	}, r.Key)
	if err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	verdict, err := verifier.CheckReport(file, q.Role, q.ID.String(), r.Trust)
	if err != nil {
		return nil, fmt.Errorf("checking a report before handing it out: %w", err)
	}
	return &Report{File: file, Verdict: verdict}, nil
}

// agree reports whether the rows are the entries: the same leaves in the same
// order, and of each the same facts, word for word.
func agree(rows []Entry, entries []verifier.Entry) bool {
	if len(rows) != len(entries) {
		return false
	}
	for i, e := range entries {
		if !same(&rows[i], e) {
			return false
		}
	}
	return true
}

func same(row *Entry, e verifier.Entry) bool {
	fields, err := events.ParseFields(e.Fields)
	if err != nil {
		return false
	}
	event, err := events.Decode(e.Type, fields)
	if err != nil {
		return false
	}
	slot, err := events.ParseSlotContent(e.Content)
	if err != nil || slot.Number == nil {
		return false
	}
	leaf, err := events.ParseLeaf(e.Leaf)
	if err != nil {
		return false
	}
	facts, err := events.MarshalJSON(event)
	if err != nil {
		return false
	}
	want, err := rowOf(event, string(facts), slot)
	if err != nil {
		return false
	}
	want.Party, want.Index, want.EventID, want.Recorded = row.Party, e.Index, e.EventID, recordedAt(leaf)
	return e.Number == want.Number && reflect.DeepEqual(row, &want)
}
