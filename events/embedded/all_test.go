package embedded_test

import (
	"fmt"
	"testing"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/streams"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

func at(position uint64) *streams.ReadReq_Options_AllOptions {
	return &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_Position{
		Position: &streams.ReadReq_Options_Position{CommitPosition: position, PreparePosition: position},
	}}
}

var allEnd = &streams.ReadReq_Options_AllOptions{AllOption: &streams.ReadReq_Options_AllOptions_End{}}

// readAll returns "stream@revision" and the position of each event.
func (w wire) readAll(o *streams.ReadReq_Options) (names []string, positions []uint64) {
	w.t.Helper()
	all, err := w.messages(o)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		e := m.GetEvent().GetEvent()
		if e.GetCommitPosition() != e.GetPreparePosition() || e.GetCommitPosition() != m.GetEvent().GetCommitPosition() {
			w.t.Fatalf("an event has several positions: %v", m)
		}
		names = append(names, fmt.Sprintf("%s@%d", e.GetStreamIdentifier().GetStreamName(), e.GetStreamRevision()))
		positions = append(positions, e.GetCommitPosition())
	}
	return names, positions
}

// TestReadAll pins down which end of a reading its position belongs to:
// forwards it is read, backwards it is not.
func TestReadAll(t *testing.T) {
	w := openWire(t)
	for i, e := range eventstest.Events("all", 600) {
		w.success([]string{"a", "b", "c"}[i%3], anyRevision, e)
		if i == 9 {
			w.delete("a")
		}
	}
	read := func(from *streams.ReadReq_Options_AllOptions, count uint64, d streams.ReadReq_Options_ReadDirection, f *streams.ReadReq_Options_FilterOptions) ([]string, []uint64) {
		o := &streams.ReadReq_Options{
			StreamOption: &streams.ReadReq_Options_All{All: from}, CountOption: &streams.ReadReq_Options_Count{Count: count}, ReadDirection: d,
		}
		if f != nil {
			o.FilterOption = &streams.ReadReq_Options_Filter{Filter: f}
		}
		return w.readAll(o)
	}
	const forwards, backwards = streams.ReadReq_Options_Forwards, streams.ReadReq_Options_Backwards
	names, positions := read(at(0), 10000, forwards, nil)
	if len(names) != 602 || names[0] != "a@0" || names[10] != "$$a@0" || names[13] != "$$a@1" || names[14] != "a@4" {
		t.Fatalf("$all holds %d events, it begins with %v", len(names), names[:20])
	}
	back, _ := read(allEnd, 10000, backwards, nil)
	for i := range back {
		if back[i] != names[len(names)-1-i] {
			t.Fatalf("backwards, event %d is %s", i, back[i])
		}
	}
	for _, i := range []int{0, 1, 300, 601} {
		if got, _ := read(at(positions[i]), 1, forwards, nil); len(got) != 1 || got[0] != names[i] {
			t.Fatalf("forwards from %s comes %v", names[i], got)
		}
		if got, _ := read(at(positions[i]+1), 1, forwards, nil); i < 601 && got[0] != names[i+1] {
			t.Fatalf("forwards from behind %s comes %v", names[i], got)
		}
		if got, _ := read(at(positions[i]), 1, backwards, nil); i > 0 && got[0] != names[i-1] || i == 0 && len(got) > 0 {
			t.Fatalf("backwards from %s comes %v", names[i], got)
		}
	}
	filter := &streams.ReadReq_Options_FilterOptions{Filter: &streams.ReadReq_Options_FilterOptions_StreamIdentifier{
		StreamIdentifier: &streams.ReadReq_Options_FilterOptions_Expression{Regex: "^[bc]$"},
	}}
	if got, _ := read(at(0), 300, forwards, filter); len(got) != 300 || got[0] != "b@0" || got[299] != "c@149" {
		t.Fatalf("filtered: %d events, %v", len(got), got[:3])
	}
	if got, _ := read(allEnd, 3, backwards, filter); len(got) != 3 || got[2] != "c@198" {
		t.Fatalf("filtered backwards: %v", got)
	}
}

// TestLinks follows links to what can be seen, and shows the others alone.
func TestLinks(t *testing.T) {
	w := openWire(t)
	w.success("target", anyRevision, eventstest.Events("target", 2)...)
	w.success("gone", anyRevision, eventstest.Events("gone", 1)...)
	w.delete("gone")
	for _, data := range []string{"1@target", "0@gone", "9@target", "0@nowhere", "no link"} {
		e := eventstest.Event("link " + data)
		e.Type, e.Data = "$>", []byte(data)
		w.success("links", anyRevision, []events.Proposed{e}...)
	}
	o := &streams.ReadReq_Options{
		StreamOption: &streams.ReadReq_Options_Stream{Stream: &streams.ReadReq_Options_StreamOptions{StreamIdentifier: streamID("links")}},
		CountOption:  &streams.ReadReq_Options_Count{Count: 10}, ResolveLinks: true,
	}
	all, err := w.messages(o)
	if err != nil || len(all) != 5 {
		t.Fatalf("%d links, %v", len(all), err)
	}
	for i, m := range all {
		e, link := m.GetEvent().GetEvent(), m.GetEvent().GetLink()
		if link.GetStreamRevision() != uint64(i) || (e != nil) != (i == 0) {
			t.Errorf("link %d is %v to %v", i, link, e)
		}
	}
	if e := all[0].GetEvent().GetEvent(); string(e.GetStreamIdentifier().GetStreamName()) != "target" || e.GetStreamRevision() != 1 {
		t.Errorf("the link leads to %v", e)
	}
}
