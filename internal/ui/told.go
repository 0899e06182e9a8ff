package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// told is one giving of data as it is now known: a record, after what amended,
// retracted, disputed or continued it.
type told struct {
	share     *events.DisclosureRecorded
	times     uint64
	possible  bool   // it is not known whether it happened
	by        string // who passed the data on, if it was not the company
	retracted bool
	disputed  bool
}

// tell folds a report's entries, in their order, into what is now known.
func tell(entries []verifier.ShownEntry) (all []*told) {
	records := map[uint64]*told{} // by the number of an entry: the record that it is or is about
	for _, e := range entries {
		var about *told
		if e.About != nil {
			about = records[*e.About]
		}
		switch event := e.Event.(type) {
		case *events.DisclosureAmended:
			if about != nil {
				about.share = events.ShareIn(event)
			}
		case *events.DisclosureRetracted:
			if about != nil {
				about.retracted = true
			}
		case *events.DisclosureDisputed:
			if about != nil {
				about.disputed = true
			}
		case *events.DisputeResolved:
			if about != nil {
				about.disputed = false
			}
		case *events.SeriesUpdated:
			if about != nil {
				about.times = event.Progress.Count
			}
		case *events.SeriesClosed:
			if about != nil {
				about.times = event.Progress.Count
			}
		case *events.OnwardReported:
			about = &told{times: 1, by: event.Onward.By, share: &events.DisclosureRecorded{
				Occurred: events.Occurred{At: event.Onward.At, Precision: event.Onward.Precision},
				Reasons:  event.Reasons, Recipient: event.Recipient, Data: event.Data,
			}}
			all = append(all, about)
		default:
			if share := events.ShareIn(event); share != nil {
				_, possible := event.(*events.PossibleRecorded)
				about = &told{share: share, times: 1, possible: possible}
				all = append(all, about)
			}
		}
		records[e.Number] = about
	}
	return all
}

// holder is a recipient who was given data of the person: who, why, since when.
type holder struct {
	Name, ID, Country, Kind, Contact string
	Why, What, Notes                 []string
	Since                            string
	Times                            uint64
	first                            events.Occurred
}

// holders sums up by recipient, in the order of the first share. Retracted
// records do not count.
func holders(all []*told) (out []holder) {
	at := map[string]int{}
	for _, one := range all {
		if one.retracted {
			continue
		}
		r := one.share.Recipient
		i, known := at[r.ID]
		if !known {
			i = len(out)
			at[r.ID] = i
			out = append(out, holder{first: one.share.Occurred})
		}
		out[i].add(one)
	}
	slices.SortStableFunc(out, func(a, b holder) int { return strings.Compare(a.first.At, b.first.At) })
	for i := range out {
		out[i].Since = verifier.Plain(when(out[i].first))
	}
	return out
}

func (h *holder) add(one *told) {
	// The newest snapshot of the recipient is the one to write to.
	r := one.share.Recipient
	h.Name, h.ID, h.Country = verifier.Plain(r.LegalName), verifier.Plain(r.ID), verifier.Plain(r.Country)
	h.Kind, h.Contact = words(r.Category), verifier.Plain(r.Contact)
	h.Times += one.times
	if one.share.Occurred.At < h.first.At {
		h.first = one.share.Occurred
	}
	for _, reason := range one.share.Reasons {
		h.Why = appendNew(h.Why, answer(reason))
	}
	for _, kind := range plain(one.share.Data.Categories) {
		h.What = appendNew(h.What, kind)
	}
	if one.possible {
		h.Notes = appendNew(h.Notes, "possibly: it is not known whether it happened")
	}
	if one.disputed {
		h.Notes = appendNew(h.Notes, "disputed")
	}
	if one.by != "" {
		h.Notes = appendNew(h.Notes, fmt.Sprintf("passed on by %s", verifier.Plain(one.by)))
	}
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
