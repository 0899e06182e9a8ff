package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// lineWidth is how many columns a line of ours has at most. Longer texts go on
// below, indented: left to the terminal they would go on in the first column,
// and could look like a line of the verdict there.
const lineWidth = 78

// hang is where texts begin, and where they go on.
const hang = 18

// line prints a labelled text out of the file, or nothing if there is none.
func line(w io.Writer, label, text string) {
	if text != "" {
		wrapped(w, fmt.Sprintf("   %-*s ", hang-4, label), text)
	}
}

// list prints the values of a list, or what to say where there are none.
func list(w io.Writer, label string, values []string, none string) {
	if text := strings.Join(values, "; "); text != "" {
		line(w, label, text)
	} else {
		line(w, label, none)
	}
}

// wrapped prints a text out of the file behind a text of ours.
func wrapped(w io.Writer, ours, text string) {
	fmt.Fprint(w, ours)
	at := columns(strings.TrimPrefix(ours, "\n"))
	for i, word := range strings.Split(verifier.Plain(text), " ") {
		switch {
		case i == 0:
		case at+1+columns(word) > lineWidth:
			fmt.Fprintf(w, "\n%*s", hang, "")
			at = hang
		default:
			fmt.Fprint(w, " ")
			at++
		}
		for _, r := range word {
			wide := columns(string(r))
			if at+wide > lineWidth {
				fmt.Fprintf(w, "\n%*s", hang, "")
				at = hang
			}
			fmt.Fprint(w, string(r))
			at += wide
		}
	}
	fmt.Fprintln(w)
}

// columns bounds the width of a text from above: what is not ASCII may be wide.
func columns(s string) (n int) {
	for _, r := range s {
		n++
		if r >= 0x80 {
			n++
		}
	}
	return n
}

// when shows when a share happened. A day or month is shown as it was given:
// in another zone it could be another one.
func when(o events.Occurred) string {
	t, err := time.Parse(time.RFC3339, o.At)
	if err != nil {
		return shown(o.At)
	}
	switch o.Precision {
	case "day":
		return t.Format("2006-01-02")
	case "month":
		return t.Format("2006-01")
	}
	return minute(t.UTC())
}

// asGiven returns a time as the record has it, if when does not say all of it.
func asGiven(o events.Occurred) string {
	if o.Precision != "" && o.Precision != "instant" && o.Precision != "day" && o.Precision != "month" {
		return shown(o.At) + ", precision " + o.Precision
	}
	t, err := time.Parse(time.RFC3339, o.At)
	if err != nil {
		return o.At
	}
	said := ""
	switch t = t.UTC(); o.Precision {
	case "", "instant":
		said = t.Format("2006-01-02T15:04") + ":00Z"
	case "day":
		said = t.Format("2006-01-02") + "T00:00:00Z"
	case "month":
		said = t.Format("2006-01") + "-01T00:00:00Z"
	}
	if said == o.At {
		return ""
	}
	return o.At
}

func minute(t time.Time) string { return t.Format("2006-01-02 15:04 UTC") }

func reasons(all []events.Reason) (out []string) {
	for _, r := range all {
		out = append(out, words(string(r)))
	}
	return out
}

// shown says so where a field is not there.
func shown(text string) string {
	if text == "" {
		return "not recorded"
	}
	return text
}

func words(term string) string { return strings.ReplaceAll(term, "_", " ") }
