package projections

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// DocumentKind is what sort of document the controller published.
type DocumentKind string

// The kinds of document.
const (
	DocumentStatement DocumentKind = "statement" // the privacy statement
	DocumentTaxonomy  DocumentKind = "taxonomy"  // reasons and product areas
	DocumentProfile   DocumentKind = "profile"   // of a regime
)

// Published is a document as the controller published it.
type Published struct {
	Event
	Kind DocumentKind `json:"kind" enum:"statement,taxonomy,profile"`
	events.Document
}

// DocumentQuery asks for documents. Its members may be combined.
type DocumentQuery struct {
	Kind    DocumentKind // empty: all
	Version string       // name of the version; empty: all

	// InForce asks for those in force at a time; zero: all. What shares a kind, a
	// language and the version's name up to the last slash is one document, of which
	// the version that took effect last is in force; of two at once, the one that
	// was published later.
	InForce time.Time

	AsOf uint64 // as the state that wants this revision next told it; 0: the newest
}

// Documents are an answer from one state.
type Documents struct {
	AsOf      uint64      `json:"as_of" doc:"the revision that the rows want next"`
	Documents []Published `json:"documents" doc:"in the order in which they were published"`
}

// Documents returns what the controller of that identity published. ErrParked if
// the rows about it are incomplete.
func (m *ReadModel) Documents(ctx context.Context, controller events.Identity, q DocumentQuery) (*Documents, error) {
	page, err := m.all(ctx, events.RoleController, controller, EntryQuery{Kind: KindDocument, UpTo: upTo(q.AsOf)})
	if err != nil {
		return nil, fmt.Errorf("listing documents: %w", err)
	}
	answer := &Documents{AsOf: page.Next, Documents: []Published{}}
	for i := range page.Entries {
		p, err := publishedAs(&page.Entries[i])
		if err != nil {
			return nil, fmt.Errorf("listing documents: %w", err)
		}
		if q.Kind == "" || p.Kind == q.Kind {
			answer.Documents = append(answer.Documents, p)
		}
	}
	if !q.InForce.IsZero() {
		answer.Documents = inForce(answer.Documents, q.InForce)
	}
	if q.Version != "" {
		answer.Documents = versionsNamed(answer.Documents, q.Version)
	}
	return answer, nil
}

func publishedAs(e *Entry) (Published, error) {
	p := Published{Event: e.event(), Kind: DocumentStatement}
	switch e.Type {
	case events.TypeTaxonomyReleased:
		p.Kind = DocumentTaxonomy
	case events.TypeProfileReleased:
		p.Kind = DocumentProfile
	}
	var said events.StatementPublished // the other two have the same members
	err := e.read(&said)
	p.Document = said.Document
	return p, err
}

// inForce keeps the version in force at a time of each document, in their order.
func inForce(all []Published, at time.Time) []Published {
	type document struct {
		kind           DocumentKind
		name, language string
	}
	type version struct {
		index     int
		effective time.Time
	}
	newest := map[document]version{}
	identify := func(p *Published) document {
		name := p.Version[:max(0, strings.LastIndexByte(p.Version, '/'))]
		return document{p.Kind, name, p.Language}
	}
	for i := range all {
		d, effective := identify(&all[i]), moment(all[i].Effective)
		if old, known := newest[d]; !effective.After(at) && (!known || !effective.Before(old.effective)) {
			newest[d] = version{i, effective}
		}
	}
	kept := []Published{}
	for i := range all {
		if v, known := newest[identify(&all[i])]; known && v.index == i {
			kept = append(kept, all[i])
		}
	}
	return kept
}

func versionsNamed(all []Published, name string) []Published {
	kept := []Published{}
	for _, p := range all {
		if p.Version == name {
			kept = append(kept, p)
		}
	}
	return kept
}

// moment reads a time that was valid when it was recorded.
func moment(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text)
	return t
}
