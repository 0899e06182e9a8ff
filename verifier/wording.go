package verifier

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// conclude words the verdict. It speaks of the time before the state: an entry
// may still be recorded in the state's own minute, after it.
func (v *Verdict) conclude() {
	for _, n := range v.Names {
		v.Enrolled = v.Enrolled || len(n.Sequences) > 0
	}
	v.Sentence = "VERIFIED: " + v.found()
	if v.complete() {
		v.Sentence = fmt.Sprintf("VERIFIED, COMPLETE for everything that %s dated before %s: %s Witnesses had seen this state, and none newer, by %s.",
			v.where(), minute(v.StateTimeMS), v.found(), second(v.SeenAt))
	}
	v.Limit = v.limit()
	v.NotShown = v.notShown()
	if v.Copy {
		v.Sentence = fmt.Sprintf("VERIFIED, INCLUSION ONLY: %s about %s shown here %s in the ledger %s before %s. Others may exist.",
			counted(len(v.Entries), "entry", "entries"), plainList(v.IDs), are(len(v.Entries)), v.Origin, minute(v.StateTimeMS))
		v.Limit = "A copy for third parties: nothing in it shows that no entry is missing"
		if !v.Witnessed {
			v.Limit += "; not witnessed"
		}
		v.Limit += "."
	}
	if !v.Pinned {
		v.Sentence = "Consistent with itself; issuer NOT checked. Pin the ledger's trust file (--trust FILE) and check again."
	}
}

// complete reports whether nothing can be missing that the auditors and witnesses
// saw. Of a file that brings its own trust nobody can say so.
func (v *Verdict) complete() bool { return v.Pinned && v.Audited && v.Witnessed && !v.Copy }

func (v *Verdict) where() string {
	if v.Chain > 1 {
		return fmt.Sprintf("the %d ledgers up to %s", v.Chain, v.Origin)
	}
	return "the ledger " + v.Origin
}

// limit is shown with every sentence: whose word a reader takes, or what nobody
// vouches for.
func (v *Verdict) limit() string {
	if v.complete() {
		return "This is of what was recorded. It takes the word of the auditors and witnesses whom the trust file names."
	}
	limit := "Included"
	if !v.Audited {
		limit += "; completeness not audited"
	}
	if !v.Witnessed {
		limit += "; not witnessed"
	}
	return limit + "."
}

// found says what the ledger holds, in words for the person it is about. A sentence
// that says where and until when already needs neither again.
func (v *Verdict) found() string {
	id, in := plainList(v.IDs), fmt.Sprintf(" in %s before %s", v.where(), minute(v.StateTimeMS))
	if v.complete() {
		in = ""
	}
	erased := v.erased()
	switch n := len(v.Entries); {
	case !v.Enrolled && v.complete():
		return fmt.Sprintf("it holds nothing about %s: not in this ledger.", id)
	case !v.Enrolled:
		return fmt.Sprintf("%s holds nothing about %s before %s: not in this ledger.", v.where(), id, minute(v.StateTimeMS))
	case v.Filter != nil && n == 0:
		return fmt.Sprintf("no %s is recorded%s; %s proven and not shown, and the index shows no other.%s", v.filtered(id), in,
			counted(int(v.Filtered), "other entry is", "other entries are"), erased)
	case v.Filter != nil:
		return fmt.Sprintf("%s shown, for: %s recorded%s; %s proven and not shown, and the index shows no other.%s",
			counted(n, "entry", "entries"), v.filtered(id), in, counted(int(v.Filtered), "other is", "others are"), erased)
	case n == 0:
		return fmt.Sprintf("no entry about %s%s; the index shows none.%s", id, in, erased)
	case n == 1:
		return fmt.Sprintf("1 entry about %s%s; it is in the log, and the index shows no other.%s", id, in, erased)
	default:
		return fmt.Sprintf("%d entries about %s%s; each is in the log, and the index shows no other.%s", n, id, in, erased)
	}
}

// filtered words what the filter shows.
func (v *Verdict) filtered(id string) string {
	f := v.Filter
	var b strings.Builder
	switch v.Role {
	case events.RoleSubject:
		fmt.Fprintf(&b, "disclosure of data of %s", id)
	default:
		fmt.Fprintf(&b, "entry in the register of %s", id)
	}
	say := func(word string, values []string) {
		if len(values) > 0 {
			fmt.Fprintf(&b, " %s %s", word, strings.ReplaceAll(strings.ReplaceAll(plainList(values), ", ", " or "), "_", " "))
		}
	}
	// Names and categories are whatever somebody chose: in quotes they are no part of
	// the sentence.
	quote := func(word string, values []string) {
		for i, v := range values {
			if i > 0 {
				word = "or"
			}
			fmt.Fprintf(&b, " %s %q", word, v)
		}
	}
	quote("to", f.Recipients)
	say("to recipients of kind", f.Kinds)
	say("because of", f.Reasons)
	quote("with data of the category", f.Categories)
	say("of type", f.Types)
	if f.Since != "" {
		fmt.Fprintf(&b, " since %s", f.Since)
	}
	if f.Until != "" {
		fmt.Fprintf(&b, " until %s", f.Until)
	}
	return Plain(b.String())
}

// erased says when what stood under a name was erased.
func (v *Verdict) erased() string {
	var days []string
	for _, n := range v.Names {
		for _, s := range n.Sequences {
			if s.Ended == reasonWord(ClosedErased) {
				days = append(days, day(s.EndedMS))
			}
		}
	}
	if len(days) == 0 {
		return ""
	}
	return " What was recorded before was erased on " + strings.Join(slices.Compact(days), " and on ") + "; nobody can open it any more."
}

func (v *Verdict) notShown() []string {
	var all []string
	if !v.Audited && !v.Copy {
		all = append(all, "that an independent auditor replayed the index: the trust file pins none, so a false index would not be noticed here")
	}
	if !v.Witnessed {
		all = append(all, "that independent witnesses saw this checkpoint: the trust file pins none, so another reader could have been shown another history")
	}
	if v.erased() != "" {
		all = append(all, "what was recorded under what is erased, how much, and whether any was added since; and whether an erased name stood for another one. That nobody can open it any more is the ledger's word: if nobody asked for it to be erased, ask the ledger why")
	}
	all = append(all,
		"what stands under other names of this party than those you typed and those they lead to; and sealed records, until the law lets them be shown",
		"that the times of recording are right: they are the ledger's own clock",
		"that every real share was recorded, or recorded about the right person: no log can show that",
	)
	if v.Copy {
		all = append([]string{"that nothing is missing: this copy leaves out what would prove it, so that whoever holds it cannot follow this party's later entries"}, all...)
	}
	if v.Filtered > 0 {
		all = append([]string{fmt.Sprintf("the content of %s that the filter leaves out", counted(int(v.Filtered), "entry", "entries"))}, all...)
	}
	if v.Closed {
		next := "it names no successor"
		if v.Successor != "" {
			next = "ask for a report of its successor, " + Plain(v.Successor)
		}
		all = append([]string{"anything after the ledger's end: it was closed; " + next}, all...)
	}
	if !v.Pinned {
		all = append([]string{"who made this file: it was checked against keys that it brings itself, which anybody can make"}, all...)
	}
	return all
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
