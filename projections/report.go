package projections

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
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
	// Before proves what the ledgers held that this one continues, the oldest first.
	// Their rows are not compared: they are closed, and nothing is projected of them.
	Before []Prover
	Rows   *ReadModel
	Runner *Runner
	Trust  func() *verifier.Trust // what readers pin now
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
	for i := range evidence.Names {
		if err := r.compare(ctx, q.Role, &evidence.Names[i], evidence.Targets, evidence.State.Index); err != nil {
			return nil, fmt.Errorf("writing a report: %w", err)
		}
	}
	parts, err := r.before(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	parts = append(parts, evidence)
	if q.Since != "" && !slices.ContainsFunc(parts, func(e verifier.Evidence) bool { return e.Earlier != nil }) {
		return nil, &events.FieldError{Field: "since_checkpoint", Rule: "is no checkpoint of this ledger's", Next: "give the signed checkpoint, or the report that holds it"}
	}
	return r.finish(parts, q)
}

// finish signs a report, and checks it as its reader will.
func (r *Reports) finish(parts []verifier.Evidence, q verifier.Query) (*Report, error) {
	trust := r.Trust()
	file, err := verifier.FormatReport(&verifier.Report{
		Trust: string(trust.Canonical()),
		Parts: parts,
		Statement: verifier.Statement{
			GeneratedAt: r.Now().UTC().Format(time.RFC3339), Notice: constantNotice,
		},
	}, r.Key)
	if err != nil {
		return nil, fmt.Errorf("writing a report: %w", err)
	}
	asked := verifier.Asked{Role: q.Role, Previous: q.Since}
	for _, id := range q.IDs {
		asked.IDs = append(asked.IDs, id.String())
	}
	verdict, err := verifier.CheckReport(file, asked, trust)
	if err != nil {
		return nil, fmt.Errorf("checking a report before handing it out: %w", err)
	}
	return &Report{File: file, Verdict: verdict}, nil
}

// before proves what the older ledgers of the chain hold.
func (r *Reports) before(ctx context.Context, q verifier.Query) (parts []verifier.Evidence, err error) {
	for i, prover := range r.Before {
		evidence, err := prover.Prove(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("in ledger %d of the chain: %w", i+1, err)
		}
		parts = append(parts, evidence)
	}
	return parts, nil
}

// compare compares what is proven under a name with the rows about it: the same
// leaves in the same order, and of each that is shown the same facts, word for
// word. A copy for third parties lacks what is not shown.
func (r *Reports) compare(ctx context.Context, role events.Role, name *verifier.Name, targets []verifier.Target, upTo uint64) error {
	id := events.Identity(strings.Replace(name.ID, ":", "\x00", 1)) // it is canonical
	rows, err := r.Rows.all(ctx, role, id, EntryQuery{UpTo: upTo, Own: true})
	if err != nil {
		return err
	}
	left := rows.Entries
	for _, g := range name.Generations {
		for i := range g.Entries {
			for g.Enrol == nil && len(left) > 0 && left[0].Index < g.Entries[i].Index {
				left = left[1:]
			}
			if len(left) == 0 || !same(&left[0], &g.Entries[i], targets) {
				return ErrDisagree
			}
			left = left[1:]
		}
	}
	if copied := len(name.Absences) == 0; len(left) > 0 && !copied {
		return ErrDisagree
	}
	return nil
}

func same(row *Entry, e *verifier.Entry, targets []verifier.Target) bool {
	if e.Seed == nil {
		return e.Number == entryOf(row.Number) && e.Index == row.Index && e.EventID == row.EventID
	}
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
	of, event := recordedIn(event, slot, targets)
	facts, err := events.MarshalJSON(event)
	if err != nil {
		return false
	}
	want, err := rowOf(event, string(facts), slot)
	if err != nil {
		return false
	}
	want.Party, want.Index, want.EventID, want.Recorded = row.Party, e.Index, e.EventID, recordedAt(leaf)
	want.Number = Number(generationOf(row.Number), want.Number)
	of.in(&want)
	return e.Number == entryOf(row.Number) && reflect.DeepEqual(row, &want)
}

// recordedIn returns what was recorded: what the header says that an event continues,
// or the event itself, and then nil.
func recordedIn(event events.Event, slot *events.SlotContent, targets []verifier.Target) (*continuation, events.Event) {
	part, continues := event.(*events.RecordContinued)
	if !continues || slot.TargetIndex == nil {
		return nil, event
	}
	for i := range targets {
		t := &targets[i]
		if t.Index != *slot.TargetIndex || t.Slot != nil {
			continue
		}
		if fields, err := events.ParseFields(t.Fields); err == nil {
			if header, err := events.Decode(t.Type, fields); err == nil {
				return &continuation{header: t.Index, id: t.EventID, record: part.Record}, header
			}
		}
	}
	return nil, event // which no row says
}

// WriteRegister makes the report about a register of which there are no rows: that
// of an authority under whose orders records are sealed, which only its keepers
// may see.
func (r *Reports) WriteRegister(ctx context.Context, q verifier.Query) (*Report, error) {
	evidence, err := r.Prover.Prove(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("writing a register: %w", err)
	}
	parts, err := r.before(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("writing a register: %w", err)
	}
	return r.finish(append(parts, evidence), q)
}
