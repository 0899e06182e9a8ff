package verifier_test

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// crowded is a ledger with a share of 600 people, of whom Ada is one: a header, which
// has the recipient, and a continuation, which has her; then an amendment of the same
// kind, and a dispute of hers.
type crowded struct {
	*forger
	ada, org                  *party
	header, amendment         uint64
	share                     *events.DisclosureRecorded
	part, amendmentPart       *events.RecordContinued
	continuation, amendedPart uint64
}

// continued appends a continuation of an event with a party.
func (f *forger) continued(part *events.RecordContinued, header uint64, p *party) uint64 {
	return f.continuedAs(part, p, func(c *events.SlotContent) {}, header)
}

func (f *forger) continuedAs(part *events.RecordContinued, p *party, change func(*events.SlotContent), header uint64) uint64 {
	i := uint64(len(p.entries))
	c := events.ContinuationContent(p.role, i, p.id, &events.Private{Description: "row 7"}, header, events.LeafHash(f.leaves[header]))
	change(c)
	return f.shareAs(part.Type(), events.Fields(part), []mark{{events.EntryLabel(p.handle, i), f.draw(), c.Marshal()}}, p)
}

// target shows a leaf that a continuation names.
func (f *forger) target(at uint64) verifier.Target {
	w := f.events[at]
	return verifier.Target{Proven: f.proven(at, f.next()), EventID: w.id, Type: w.typ, Seed: w.seed, Fields: events.MarshalFields(w.fields)}
}

func crowdedShare() *events.DisclosureRecorded {
	share := *sample(1)
	share.Extent = events.Extent{Subjects: 600, Continuations: 10}
	return &share
}

func newCrowded(t testing.TB, change func(*crowded)) *crowded {
	c := &crowded{forger: newForger(t), share: crowdedShare(), part: &events.RecordContinued{Part: events.Part{Number: 3, Of: 10, People: 64}}}
	c.ada, c.org = c.party(events.RoleSubject, adaID), c.party(events.RoleRecipient, "org:northwind")
	c.enrol(c.org, c.ada)
	if change != nil {
		change(c)
	}
	c.header = c.forger.share(c.share, c.org)
	c.continuation = c.continued(c.part, c.header, c.ada)
	c.amendment = c.about(amendedOf(1, 1, "data"), c.header, c.org)
	return c
}

// finish amends the share for Ada too, has her dispute it, and publishes.
func (c *crowded) finish() *crowded {
	amended := amendedOf(1, 1, "data")
	amended.Data.Categories = []string{"shoe size"}
	c.amendment = c.about(amended, c.header, c.org)
	c.amendmentPart = &events.RecordContinued{Part: events.Part{Number: 1, Of: 10, People: 64}, Record: events.ReferenceTo(c.header, events.LeafHash(c.leaves[c.header]))}
	c.amendedPart = c.continued(c.amendmentPart, c.amendment, c.ada)
	c.about(&events.DisclosureDisputed{Dispute: events.Dispute{By: "subject", Ground: "not_me", At: "2026-09-03T00:00:00Z"}}, c.header, c.ada)
	c.state()
	return c
}

// tell is Ada's report with a change to the document, to her.
func (c *crowded) tell(change func(*verifier.Report)) (*reader, []byte) {
	r := c.write(c.ada)
	for _, at := range c.ada.entries {
		w := c.events[at.index]
		content, err := events.ParseSlotContent(w.slots[at.slot].content)
		if err != nil {
			c.t.Fatal(err)
		}
		if w.typ == events.TypeRecordContinued && content.TargetIndex != nil {
			r.Parts[0].Targets = append(r.Parts[0].Targets, c.target(*content.TargetIndex))
		}
	}
	byIndex := func(a, b verifier.Target) int { return cmp.Compare(a.Index, b.Index) }
	slices.SortFunc(r.Parts[0].Targets, byIndex)
	r.Parts[0].Targets = slices.CompactFunc(r.Parts[0].Targets, func(a, b verifier.Target) bool { return a.Index == b.Index })
	if change != nil {
		change(r)
	}
	return &reader{role: events.RoleSubject, id: adaID, trust: c.trust()}, c.sign(r)
}

func (c *crowded) check(change func(*verifier.Report)) (*verifier.Verdict, error) {
	r, file := c.tell(change)
	return r.check(file)
}

// TestContinued: what a person among many is shown is what the header says, with what
// became of it.
func TestContinued(t *testing.T) {
	c := newCrowded(t, nil).finish()
	v, err := c.check(nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Entries) != 3 {
		t.Fatalf("%d entries", len(v.Entries))
	}
	share, ok := v.Entries[0].Event.(*events.DisclosureRecorded)
	if e := v.Entries[0]; !ok || share.Extent.Subjects != 600 || e.Header == nil || *e.Header != c.header || e.Index != c.continuation ||
		e.ID != c.events[c.header].id || e.Private.Description != "row 7" || e.About != nil {
		t.Errorf("%+v", e)
	}
	if e := v.Entries[1]; e.Event.Type() != events.TypeDisclosureAmended || e.About == nil || *e.About != 0 || *e.Header != c.amendment {
		t.Errorf("%+v", e)
	}
	if e := v.Entries[2]; e.Event.Type() != events.TypeDisclosureDisputed || e.About == nil || *e.About != 0 || e.Header != nil {
		t.Errorf("%+v", e)
	}
}

// remark is a lie by who holds every key, refused with words that tell it from others.
type remark struct {
	tell func(testing.TB) (*reader, []byte)
	says string
}

// continuedLies are about a share to many.
func continuedLies() map[string]remark {
	edit := func(change func(*crowded, *verifier.Evidence)) func(testing.TB) (*reader, []byte) {
		return func(t testing.TB) (*reader, []byte) {
			c := newCrowded(t, nil).finish()
			return c.tell(func(r *verifier.Report) { change(c, &r.Parts[0]) })
		}
	}
	build := func(change func(*crowded)) func(testing.TB) (*reader, []byte) {
		return func(t testing.TB) (*reader, []byte) { return newCrowded(t, change).finish().tell(nil) }
	}
	// more appends a further continuation to the honest ledger.
	more := func(change func(*crowded)) func(testing.TB) (*reader, []byte) {
		return func(t testing.TB) (*reader, []byte) {
			c := newCrowded(t, nil).finish()
			change(c)
			c.state()
			return c.tell(nil)
		}
	}
	return map[string]remark{
		"the header is left out": {edit(func(c *crowded, e *verifier.Evidence) { e.Targets = e.Targets[1:] }), "not shown"},
		"another header is shown": {edit(func(c *crowded, e *verifier.Evidence) {
			e.Targets[0].Fields = events.MarshalFields(events.Fields(sample(9)))
		}), "do not match"},
		"a header that nothing names": {edit(func(c *crowded, e *verifier.Evidence) {
			e.Targets = append([]verifier.Target{c.target(c.ada.enrol.index)}, e.Targets...)
		}), "nothing names it"},
		"headers in another order": {edit(func(c *crowded, e *verifier.Evidence) { slices.Reverse(e.Targets) }), "out of order"},
		"the recipient's slot is opened": {edit(func(c *crowded, e *verifier.Evidence) {
			slot, m := uint16(0), c.events[c.header].slots[0]
			e.Targets[0].Slot, e.Targets[0].Opening, e.Targets[0].Content = &slot, &m.opening, m.content
		}), "not shown"},
		"the continuation stands for itself": {build(func(c *crowded) { c.part = &events.RecordContinued{Part: events.Part{Number: 11, Of: 10, People: 1}} }), "which part"},
		"more parts than the header says":    {build(func(c *crowded) { c.part.Part.Of = 11 }), "says that there are 10"},
		"a header of one event":              {build(func(c *crowded) { c.share.Extent.Continuations = 0 }), "says that there are 0"},
		"a header of fewer people":           {build(func(c *crowded) { c.share.Extent.Subjects = 63 }), "more people"},
		"an ordinary entry in a continuation": {build(func(c *crowded) {
			c.forger.share2(c.part, c.ada)
		}), "not this party's entry"},
		"a continuation slot in an ordinary event": {more(func(c *crowded) {
			i := uint64(len(c.ada.entries))
			content := events.ContinuationContent(c.ada.role, i, c.ada.id, nil, c.header, events.LeafHash(c.leaves[c.header]))
			c.shareAs(events.TypeDisclosureRecorded, events.Fields(sample(2)), []mark{{events.EntryLabel(c.ada.handle, i), c.draw(), content.Marshal()}}, c.ada)
		}), "not this party's entry"},
		"a second entry in one record": {more(func(c *crowded) { c.continued(c.part, c.header, c.ada) }), "an entry already"},
		"a header with another leaf hash": {more(func(c *crowded) {
			c.continuedAs(c.part, c.ada, func(s *events.SlotContent) { s.TargetLeaf = make([]byte, 32) }, c.header)
		}), "not shown"},
		"an amendment about a record that is not hers": {build(func(c *crowded) {
			other := c.forger.share(crowdedShare(), c.org)
			amendment := c.about(amendedOf(1, 1, "data"), other, c.org)
			c.continued(&events.RecordContinued{Part: c.part.Part, Record: events.ReferenceTo(other, events.LeafHash(c.leaves[other]))}, amendment, c.ada)
		}), "no earlier entry"},
		"an amendment that says of no record": {more(func(c *crowded) {
			c.continued(&events.RecordContinued{Part: c.part.Part}, c.about(amendedOf(1, 2, "data"), c.header, c.org), c.ada)
		}), "does not say which entry"},
		"the dispute names the continuation's leaf": {more(func(c *crowded) {
			c.about(&events.DisclosureDisputed{Dispute: events.Dispute{By: "subject", Ground: "not_me", At: "2026-09-03T00:00:00Z"}}, c.continuation, c.ada)
		}), "no earlier entry"},
		"an entry is hidden by a filter": {edit(func(c *crowded, e *verifier.Evidence) {
			filter := &verifier.Filter{Version: 1, Types: []string{events.TypeSeriesOpened}}
			e.Filter = filter
			for i := range e.Names[0].Generations[0].Entries {
				entry := &e.Names[0].Generations[0].Entries[i]
				opening, content := entry.Opening, entry.Content
				c.hide(entry, filter)
				entry.Opening, entry.Content = opening, content
			}
		}), "never hidden"},
	}
}

func TestContinuedLies(t *testing.T) { wantRemarks(t, continuedLies()) }

func wantRemarks(t *testing.T, lies map[string]remark) {
	t.Helper()
	for name, told := range lies {
		t.Run(name, func(t *testing.T) {
			r, file := told.tell(t)
			_, err := r.check(file)
			if refuted := (*verifier.RefutedError)(nil); !errors.As(err, &refuted) || !strings.Contains(refuted.Found, told.says) {
				t.Error(err)
			}
		})
	}
}

// TestContinuedFlips: no bit of what a header shows can be changed.
func TestContinuedFlips(t *testing.T) {
	c := newCrowded(t, nil).finish()
	for at := range c.target(c.header).Fields {
		_, err := c.check(func(r *verifier.Report) {
			fields := slices.Clone(r.Parts[0].Targets[0].Fields)
			fields[at] ^= 1 << (at % 8)
			r.Parts[0].Targets[0].Fields = fields
		})
		if err == nil {
			t.Fatalf("byte %d of the header's fields was changed", at)
		}
	}
}
