package decide

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// AddSubjects asks to add people to a recorded share. They get the share as it is
// now known.
type AddSubjects struct {
	ID       events.ID
	Subjects []Subject
}

// About implements [Command].
func (cmd *AddSubjects) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *AddSubjects) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeSubjectsAdded); err != nil {
		return nil, err
	}
	added := &events.SubjectsAdded{DisclosureRecorded: *t.Share}
	added.Extent = events.Extent{}
	if err := added.Validate(now); err != nil {
		return nil, err
	}
	planned, err := sharing(state, added, &added.DisclosureRecorded, cmd.Subjects)
	if err != nil {
		return nil, err
	}
	for i, p := range planned[0].Parties {
		if p.Role == events.RoleSubject && t.concerns(p.ID) {
			return nil, &events.FieldError{Field: fmt.Sprintf("subjects[%d].id", i-1), Rule: "is in the record already", Next: "leave it out"}
		}
	}
	// The recipient's entry says which share grew; those who are added have no entry
	// in that one.
	planned[0].Parties[0].About = t.ref()
	return planned, nil
}

// Amend asks to correct or supplement a recorded share.
type Amend struct {
	ID     events.ID
	Kind   string // correct or supplement
	Reason string
	// Changes is a JSON merge patch (RFC 7396) of the share in its newest version:
	// members that are given replace, null takes away.
	Changes json.RawMessage
}

// About implements [Command].
func (cmd *Amend) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *Amend) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisclosureAmended); err != nil {
		return nil, err
	}
	amended := &events.DisclosureAmended{Amendment: events.Amendment{Kind: cmd.Kind, Reason: cmd.Reason}}
	share, err := patched(t.Share, cmd.Changes)
	if err != nil {
		return nil, err
	}
	normalise(share)
	if share.Extent != t.Share.Extent {
		return nil, &events.FieldError{Field: "changes.extent", Rule: "is counted by the ledger", Next: "leave it out; people are added or reattributed"}
	}
	if _, err := recipientIn(state, "changes.recipient.id", &share.Recipient.ID); err != nil {
		return nil, err
	}
	if share.Recipient.ID != t.Share.Recipient.ID {
		return nil, &events.FieldError{Field: "changes.recipient.id", Rule: "cannot be amended: the share stands in the register of the recipient it names",
			Next: "retract the record and record the share with the right recipient"}
	}
	if err := linked(state, share); err != nil {
		return nil, err
	}
	var planned []Planned
	for i, t := range t.whole() { // whoever was added to the share has the same to be corrected
		of := *amended
		of.Amendment.Version, of.DisclosureRecorded = t.Versions+1, *share
		of.Extent = t.Share.Extent
		of.Amendment.Changed = events.Changed(t.Share, &of.DisclosureRecorded)
		of.Extent = events.Extent{}
		if i > 0 && (t.Ended != "" || len(of.Amendment.Changed) == 0) {
			continue
		}
		if err := of.Validate(now); err != nil {
			return nil, err
		}
		planned = append(planned, t.about(&of, t.Parties))
	}
	return planned, nil
}

// patched applies a merge patch to a share.
func patched(share *events.DisclosureRecorded, patch json.RawMessage) (*events.DisclosureRecorded, error) {
	var changes map[string]any
	if err := json.Unmarshal(patch, &changes); err != nil || changes == nil {
		return nil, &events.FieldError{Field: "changes", Rule: "must be a JSON object of what is different", Next: `send one such as {"data": {"categories": ["name"]}}`}
	}
	text, err := json.Marshal(share)
	if err != nil {
		return nil, fmt.Errorf("reading the recorded share: %w", err)
	}
	var whole map[string]any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("reading the recorded share: %w", err)
	}
	if text, err = json.Marshal(merged(whole, changes)); err != nil {
		return nil, fmt.Errorf("amending the share: %w", err)
	}
	out := new(events.DisclosureRecorded)
	if name, found := misspelt(reflect.TypeOf(*out), whole, "changes"); found {
		return nil, &events.FieldError{Field: "changes", Rule: "does not fit a share (" + name + " is no member of one)", Next: "use the members of a share, in their exact spelling"}
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(out); err != nil {
		return nil, inPatch(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, inPatch(err)
	}
	return out, nil
}

// misspelt finds a member that a struct does not have under exactly that name. The
// decoder would take "Recipient" for "recipient", and one of the two would be lost.
func misspelt(t reflect.Type, members map[string]any, path string) (name string, found bool) {
	fields := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		fields[name] = f.Type
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		field, known := fields[name]
		if !known || name == "" {
			return path + "." + name, true
		}
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		if below, ok := members[name].(map[string]any); ok && field.Kind() == reflect.Struct {
			if name, found := misspelt(field, below, path+"."+name); found {
				return name, true
			}
		}
	}
	return "", false
}

// inPatch says which member of a patch does not fit a share.
func inPatch(err error) error {
	field := "changes"
	if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
		field += "." + wrong.Field
	}
	return &events.FieldError{Field: field, Rule: "does not fit a share (" + err.Error() + ")", Next: "use the members and kinds of values of a share"}
}

// merged is RFC 7396.
func merged(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for name, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, name)
		case map[string]any:
			old, _ := target[name].(map[string]any)
			target[name] = merged(old, value)
		default:
			target[name] = value
		}
	}
	return target
}

// Retract asks to withdraw a record, for everybody or for some of its subjects.
type Retract struct {
	ID       events.ID
	Ground   string
	Reason   string
	Subjects []Subject // none: everybody
}

// About implements [Command].
func (cmd *Retract) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *Retract) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisclosureRetracted); err != nil {
		return nil, err
	}
	var people []Party
	if len(cmd.Subjects) > 0 {
		var err error
		if people, err = parseSubjects(state, cmd.Subjects); err != nil {
			return nil, err
		}
		for i, p := range people {
			if !t.concerns(p.ID) {
				return nil, nobody(fmt.Sprintf("subjects[%d].id", i))
			}
		}
	}
	var planned []Planned
	for _, t := range t.whole() {
		p, err := cmd.of(t, people, now)
		if err != nil {
			return nil, err
		}
		if p != nil {
			planned = append(planned, *p)
		}
	}
	if len(planned) == 0 {
		return nil, &events.FieldError{Field: "id", Rule: "names a record that concerns nobody any more", Next: "leave it: there is nobody to tell"}
	}
	return planned, nil
}

// of plans the retraction of one record, for those of the people whom it concerns,
// or for everybody. It is nil if there is nobody.
func (cmd *Retract) of(t *Target, people []Party, now time.Time) (*Planned, error) {
	concerned := people
	if people == nil {
		concerned = t.of(events.RoleSubject)
	}
	concerned = slices.DeleteFunc(slices.Clone(concerned), func(p Party) bool {
		_, there := t.find(p.Role, p.ID)
		return !there
	})
	n := uint64(len(concerned))
	if n == 0 || t.Ended != "" && t.Ended != events.TypeSeriesClosed {
		return nil, nil
	}
	retracted := &events.DisclosureRetracted{Retraction: events.Retraction{Ground: cmd.Ground, Reason: cmd.Reason, Scope: "whole", People: n}}
	if n < t.subjects() {
		retracted.Retraction.Scope = "part"
	}
	if err := retracted.Validate(now); err != nil {
		return nil, err
	}
	p := t.about(retracted, append(t.of(events.RoleRecipient), concerned...))
	return &p, nil
}

func nobody(field string) error {
	return &events.FieldError{Field: field, Rule: "is nobody whom the record concerns", Next: "name somebody it concerns"}
}

// some returns the record's parties that are these subjects, with what is said of
// each.
func (t *Target) some(state State, subjects []Subject) ([]Party, error) {
	parties, err := parseSubjects(state, subjects)
	if err != nil {
		return nil, err
	}
	for i, p := range parties {
		if _, there := t.find(p.Role, p.ID); !there {
			return nil, nobody(fmt.Sprintf("subjects[%d].id", i))
		}
	}
	return parties, nil
}

// Reattribute asks to move a share from somebody it never concerned to the person
// it does: a retraction for the one and a fresh record for the other. Nothing
// either of them sees leads to the other.
type Reattribute struct {
	ID     events.ID
	From   string
	To     Subject
	Reason string
}

// About implements [Command].
func (cmd *Reattribute) About() (events.ID, bool) { return cmd.ID, true }

// Decide implements [Command].
func (cmd *Reattribute) Decide(state State, t *Target, now time.Time) ([]Planned, error) {
	if err := t.open(events.TypeDisclosureAmended); err != nil { // of one occasion, as a fresh record is
		return nil, err
	}
	from, err := subjectIn(state, "from", cmd.From)
	if err != nil {
		return nil, err
	}
	to, err := subjectIn(state, "to.id", cmd.To.ID)
	if err != nil {
		return nil, err
	}
	if _, there := t.find(events.RoleSubject, from); !there {
		return nil, nobody("from")
	}
	if t.concerns(to) {
		return nil, &events.FieldError{Field: "to.id", Rule: "is in the record already", Next: "retract it for the other person"}
	}
	retraction, err := (&Retract{ID: cmd.ID, Ground: "wrong_person", Reason: cmd.Reason, Subjects: []Subject{{ID: cmd.From}}}).Decide(state, t, now)
	if err != nil {
		return nil, err
	}
	share := *t.Share
	share.Extent = events.Extent{}
	if err := share.Validate(now); err != nil {
		return nil, err
	}
	fresh, err := sharing(state, &share, &share, []Subject{cmd.To})
	if err != nil {
		return nil, inTo(err)
	}
	return append(retraction, fresh...), nil
}

// inTo says that what is wrong with the only subject is wrong with "to".
func inTo(err error) error {
	if fe := (*events.FieldError)(nil); errors.As(err, &fe) {
		return &events.FieldError{Field: "to", Rule: fe.Field + " " + fe.Rule, Next: fe.Next}
	}
	return err
}
