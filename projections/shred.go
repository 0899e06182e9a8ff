package projections

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// Number is what rows count the entries of a person by: entry i of a generation. All
// generations that can be opened have their rows under one party, in this order.
func Number(generation, i uint64) uint64 { return generation<<numberBits | i }

const numberBits = 40

// generationOf and entryOf are the inverse of Number.
func generationOf(number uint64) uint64 { return number >> numberBits }
func entryOf(number uint64) uint64      { return number & (1<<numberBits - 1) }

// OnlySubjects are the types of events that nobody's key opens but the subjects':
// whoever is erased takes what they say along.
func OnlySubjects() []string {
	return slices.DeleteFunc(events.Types(), func(typ string) bool {
		return events.Carries(typ, events.RoleRecipient) || !events.Carries(typ, events.RoleSubject)
	})
}

var onlySubjects = OnlySubjects()

// wrap hides in a row what only its subject's key opens in the event. Rows are
// copied, moved and backed up by means that nobody controls; this is readable as
// long as the key is there.
func (e *Entry) wrap(p *keystore.Party) {
	if p.Role != events.RoleSubject {
		return
	}
	for _, text := range e.wrapped() {
		*text.of = base64.StdEncoding.EncodeToString(p.Wrap([]byte(*text.of), e.place(text.name)))
	}
}

var errWrapped = fmt.Errorf("what a row says of a subject is not under the subject's key: %w", ErrDisagree)

// unwrap is the inverse of wrap.
func (e *Entry) unwrap(p *keystore.Party) error {
	if p.Role != events.RoleSubject {
		return nil
	}
	for _, text := range e.wrapped() {
		b, err := base64.StdEncoding.DecodeString(*text.of)
		if err == nil {
			b, err = p.Unwrap(b, e.place(text.name))
		}
		if err != nil {
			return errWrapped
		}
		*text.of = string(b)
	}
	return nil
}

type wrappedText struct {
	name string
	of   *string
}

func (e *Entry) wrapped() (texts []wrappedText) {
	if e.Private != "" {
		texts = append(texts, wrappedText{"private", &e.Private})
	}
	if slices.Contains(onlySubjects, e.Type) {
		texts = append(texts, wrappedText{"facts", &e.Facts})
	}
	return texts
}

func (e *Entry) place(name string) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte(name+"\x00"), e.Index), e.Number)
}

// shred notes that a person was erased. Nothing of theirs in the page is added.
func (f *fold) shred(root PartyID) {
	if f.shredded == nil {
		f.shredded = map[PartyID]bool{}
	}
	f.shredded[root] = true
}
