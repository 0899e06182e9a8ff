package verifier

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Plain makes one printable line of a text that somebody else chose, such as an
// opened field: line breaks and tabs become spaces, a run of spaces becomes one,
// and what could move the cursor, colour the terminal, turn the direction of
// writing or stand as a blank is spelled out (\u202e). Without it a field could
// draw a verdict of its own.
func Plain(s string) string {
	var b strings.Builder
	space := false
	for i, r := range s {
		blank := r == ' ' || r == '\n' || r == '\t'
		switch {
		case blank && space:
		case blank:
			b.WriteByte(' ')
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i]), 16))
		case unicode.IsPrint(r) && !strings.ContainsRune(fillers, r), r == zeroWidthNonJoiner, r == zeroWidthJoiner:
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		space = blank
	}
	return b.String()
}

// fillers are letters and symbols that look like a space.
const fillers = "\u115f\u1160\u2800\u3164\uffa0"

// The joiners belong to the spelling of Persian, Hindi and others, and change
// nothing around them.
const (
	zeroWidthNonJoiner = '\u200c'
	zeroWidthJoiner    = '\u200d'
)
