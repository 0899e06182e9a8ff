package verifier

import (
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// openShown opens what the filter read of an entry that is not shown: its type,
// and exactly the fields that the conditions are about.
func (n *named) openShown(c *checked, l *events.Leaf) error {
	if n.e.Filter == nil {
		return refute(c.name, "it is not opened, and no filter says why")
	}
	if c.shown.Type == events.TypeRecordContinued {
		return refute(c.name, "it continues another event, and such an entry is never hidden")
	}
	if err := n.event(c.name, l, c.shown.EventID, c.shown.Type, *c.shown.Event); err != nil {
		return err
	}
	var fields []events.Field
	for _, f := range c.shown.Shown {
		field := events.Field{Number: f.Number, Name: f.Name, Value: f.Value}
		if len(f.Name) > 255 || 1<<len(f.Path) != n.rules.Width || events.CheckField(l.Body, field, f.Opening, f.Path) != nil {
			return refute(c.name, "field %d does not match the leaf", f.Number)
		}
		fields = append(fields, field)
	}
	typ := n.bodyType(c.shown.Type)
	event, err := events.Decode(typ, fields)
	if err != nil || !n.rules.Numbered(typ, fields) {
		return refute(c.name, "the fields are not those of a %s", Plain(c.shown.Type))
	}
	var read []string
	for _, f := range fields {
		read = append(read, f.Name)
	}
	want := n.e.Filter.Reads(typ)
	slices.Sort(want)
	slices.Sort(read)
	if !slices.Equal(read, want) {
		return refute(c.name, "it does not open exactly the fields that the filter reads")
	}
	if (c.content != nil) != (len(events.About(c.shown.Type)) > 0) {
		return refute(c.name, "it opens its slot without a need, or does not although it is about another entry")
	}
	c.event = event
	return nil
}

// checkFilter evaluates the filter again: what it shows is opened whole, what it
// does not show is not, and both follow from opened fields.
func (p *part) checkFilter() error {
	name := "filter" + p.in
	for _, t := range p.targets {
		if !t.used {
			return refute("referenced leaf"+p.in, "leaf %d is shown, and nothing names it", t.shown.Index)
		}
	}
	f := p.e.Filter
	if f == nil {
		return nil
	}
	if f.Valid() != nil {
		return refute(name, "it is of another version, or not in the one form")
	}
	if p.last() && slices.ContainsFunc(f.Recipients, func(text string) bool {
		id, err := events.ParseIdentity(p.rules.Identities, text)
		return err != nil || id.String() != text
	}) {
		return refute(name, "a recipient in it is not in the ledger's spelling")
	}
	for _, n := range p.names {
		records, whole := map[*checked][]events.Event{}, map[*checked]bool{}
		for _, e := range n.entries { // a record comes before what is about it
			records[e.record()] = append(records[e.record()], e.event)
			// What is said in another leaf than the entry's is never hidden.
			whole[e.record()] = whole[e.record()] || e.header != nil
		}
		for _, e := range n.entries {
			if shown := whole[e.record()] || f.Passes(records[e.record()]); shown == e.filtered() {
				return refute(name, "%s does not follow it", e.name)
			}
		}
	}
	if p.last() {
		p.verdict.Filter = f
	} else if last := p.report.Parts[len(p.report.Parts)-1].Filter; last == nil || !f.equal(last) {
		return refute(name, "it is not the same in every ledger of the chain")
	}
	p.pass(name, "evaluated again over opened fields: it hides nothing that it should show")
	return nil
}

func (f *Filter) equal(o *Filter) bool {
	return f.Version == o.Version && f.Since == o.Since && f.Until == o.Until && slices.Equal(f.Recipients, o.Recipients) &&
		slices.Equal(f.Kinds, o.Kinds) && slices.Equal(f.Reasons, o.Reasons) && slices.Equal(f.Categories, o.Categories) && slices.Equal(f.Types, o.Types)
}
