package api

import (
	"context"
	"fmt"

	"github.com/sharetrail/sharetrail/events"
)

// BookRequest adds entries to the address book.
type BookRequest struct {
	Entries []BookEntry `json:"entries"`
}

// BookAnswer says what came of it.
type BookAnswer struct {
	Added    int `json:"added"`
	Replaced int `json:"replaced"`
}

// BookPage is a page of the address book.
type BookPage struct {
	Entries []BookEntry `json:"entries"`
	Next    string      `json:"next,omitempty" doc:"pass it as after to get the next page; absent on the last"`
}

type bookInput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	RawBody     []byte `contentType:"application/json"`
}

func (s *server) putRecipients(_ context.Context, in *bookInput) (*struct{ Body BookAnswer }, error) {
	if p := mediaType(in.ContentType, "application/json"); p != nil {
		return nil, p
	}
	var body BookRequest
	if p := s.shape(in.RawBody, s.entries, &body); p != nil {
		return nil, p
	}
	for i, e := range body.Entries {
		checked, err := e.check(s.Ledger.IdentityRules())
		if fe, ok := err.(*events.FieldError); ok {
			fe.Field = fmt.Sprintf("entries[%d].%s", i, fe.Field)
		}
		if err != nil {
			return nil, s.problem(err)
		}
		body.Entries[i] = checked
	}
	added, err := s.Book.Put(body.Entries)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body BookAnswer }{BookAnswer{Added: added, Replaced: len(body.Entries) - added}}, nil
}

func (s *server) listRecipients(_ context.Context, in *struct {
	After string `query:"after" doc:"the id to go on after"`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"entries a page"`
}) (*struct{ Body BookPage }, error) {
	entries, err := s.Book.After(in.After, in.Limit+1)
	if err != nil {
		return nil, s.problem(err)
	}
	page := BookPage{Entries: entries}
	if len(entries) > in.Limit {
		page.Entries, page.Next = entries[:in.Limit], entries[in.Limit-1].ID
	}
	return &struct{ Body BookPage }{page}, nil
}

func (s *server) getRecipient(_ context.Context, in *struct {
	ID string `path:"id" doc:"such as org:contoso-logistics"`
}) (*struct{ Body BookEntry }, error) {
	e, err := s.Book.Get(in.ID)
	if err != nil {
		return nil, s.problem(err)
	}
	return &struct{ Body BookEntry }{e}, nil
}
