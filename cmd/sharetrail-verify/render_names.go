package main

import (
	"fmt"
	"io"
	"time"

	"github.com/sharetrail/sharetrail/verifier"
)

// renderNames says what stands under each name, where there is more to say than
// that it has one sequence which goes on.
func renderNames(w io.Writer, v *verifier.Verdict) {
	var said []string
	for _, n := range v.Names {
		where := verifier.Plain(n.ID)
		if n.Origin != v.Origin {
			where += " in " + verifier.Plain(n.Origin)
		}
		switch {
		case len(n.Sequences) == 0:
			said = append(said, where+": nothing")
		case len(n.Sequences) == 1 && n.Sequences[0].Ended == "" && n.Sequences[0].Primary == "" && len(v.Names) == 1:
		default:
			for _, s := range n.Sequences {
				said = append(said, where+": "+sequence(s))
			}
		}
	}
	if len(said) == 0 || len(v.Names) == 1 && len(v.Names[0].Sequences) == 0 {
		return
	}
	fmt.Fprintln(w, "\nUnder each name:")
	for _, text := range said {
		wrapped(w, "  ", text)
	}
}

// sequence says what became of one sequence of entries.
func sequence(s verifier.ShownSequence) string {
	text := fmt.Sprintf("from %s, %d entries", date(s.BeganMS), s.Entries)
	switch {
	case s.BeganMS == 0: // a copy does not show where it began
		return fmt.Sprintf("%d entries", s.Entries)
	case s.Primary != "":
		text = fmt.Sprintf("another name of %s from %s", s.Primary, date(s.BeganMS))
	case s.Ended == "erased":
		return fmt.Sprintf("from %s; this sequence ended: erased on %s. Nobody can open what stood there", date(s.BeganMS), date(s.EndedMS))
	}
	switch s.Ended {
	case "":
	case "rotated":
		text += "; this sequence ended: rotated on " + date(s.EndedMS) + ", a new one goes on"
	default:
		text += "; ended: " + s.Ended + " on " + date(s.EndedMS)
	}
	return text
}

func date(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.DateOnly) }
