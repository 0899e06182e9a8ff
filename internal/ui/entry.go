package ui

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// shownEntry is an entry of a report: a share, or what became of one.
type shownEntry struct {
	Number   uint64
	Title    string // what it is, if it is no plain share
	About    uint64 // number of the entry that it is about; 0: none
	Share    *shownShare
	Facts    []line // of what is no share
	Recorded string
	Index    uint64
	EventID  string
	Later    bool
	Fates    []fate // what later entries say of it
}

// fate is what a later entry did to a record.
type fate struct {
	Word   string // retracted, amended, disputed
	Number uint64 // of the entry that says so
}

// fates are the words for what may become of a record.
var fates = map[string]string{
	events.TypeDisclosureAmended: "Amended", events.TypeDisclosureRetracted: "Retracted", events.TypeDisclosureDisputed: "Disputed",
}

// vocabulary is read once: a report asks for it at every value.
var vocabulary = events.Terms()

// titles say what an entry is that is no plain share.
var titles = map[string]string{
	events.TypeSubjectsAdded:          "Added to an earlier share",
	events.TypeDisclosureAmended:      "A record was amended",
	events.TypeDisclosureRetracted:    "A record was retracted: it is not to be relied on",
	events.TypeDisclosureDisputed:     "A record is disputed",
	events.TypeDisputeResolved:        "A dispute ended",
	events.TypeDisclosureAcknowledged: "A recipient answered",
	events.TypeOnwardReported:         "A recipient passed the data on",
	events.TypeSeriesOpened:           "A series of like shares; this was the first",
	events.TypeSeriesUpdated:          "A series goes on",
	events.TypeSeriesClosed:           "A series ended",
	events.TypePossibleRecorded:       "The data may have been shared",
	events.TypeConsentGiven:           "You agreed",
	events.TypeConsentRefused:         "You objected",
	events.TypeConsentWithdrawn:       "You withdrew your consent",
	events.TypeConsentExpired:         "Your consent expired",
	events.TypeClosed:                 "This sequence of records ended; a new one goes on",
	events.TypeUnsealed:               "The law delayed notice of this until now",
	events.TypeEventUnsealed:          "The law delayed notice of this until now",
	events.TypeClosureRequested:       "It was asked to erase you, or to give you another key",
	events.TypeClosureDeclined:        "A request about you was declined",
}

func showEntry(e verifier.ShownEntry) shownEntry {
	s := shownEntry{
		Number: e.Number + 1, Title: titles[e.Event.Type()], Recorded: minute(e.TimeMS), Index: e.Index, EventID: e.ID.String(), Later: e.Later,
	}
	if _, plain := e.Event.(*events.DisclosureRecorded); !plain {
		s.Facts = facts(reflect.ValueOf(e.Event).Elem(), "")
	}
	if e.About != nil {
		s.About = *e.About + 1
	}
	if share := events.ShareIn(e.Event); share != nil {
		shown := showShare(share, e.Private)
		s.Share = &shown
		return s
	}
	if s.Title == "" {
		s.Title = words(strings.ReplaceAll(e.Event.Type(), ".", ": "))
	}
	s.Facts = append(s.Facts, aboutYou(e.Private)...)
	return s
}

// facts lists every field of an event by its own name, but for the share that an
// event may hold, which is shown as one.
func facts(v reflect.Value, path string) (all []line) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if field.Anonymous && field.Type == reflect.TypeFor[events.DisclosureRecorded]() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		at := strings.TrimPrefix(path+"."+name, ".")
		value := v.Field(i)
		if value.Kind() == reflect.Pointer {
			if value.IsNil() {
				continue
			}
			value = value.Elem()
		}
		if value.Kind() == reflect.Struct {
			all = append(all, facts(value, at)...)
			continue
		}
		if texts := plain(textsOf(value, at)); len(texts) > 0 {
			all = append(all, line{label(name), texts})
		}
	}
	return all
}

// textsOf words a value, or the values of a list.
func textsOf(v reflect.Value, path string) (texts []string) {
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			texts = append(texts, textsOf(v.Index(i), path)...)
		}
		return texts
	case reflect.String:
		switch {
		case path == "reasons":
			return []string{answer(events.Reason(v.String()))}
		case vocabulary[path] != nil:
			return []string{words(v.String())}
		}
		return []string{v.String()}
	}
	return []string{fmt.Sprint(v.Interface())}
}

// label makes the name of a field one for people.
func label(name string) string {
	switch text := words(name); text {
	case "":
		return ""
	case "id":
		return "Id"
	default:
		return strings.ToUpper(text[:1]) + text[1:]
	}
}
