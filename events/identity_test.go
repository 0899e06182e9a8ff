package events_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
)

// Marks pile up to 30 and no higher, counted as the specification counts them.
func TestIdentityMarks(t *testing.T) {
	letters := rapid.SampledFrom([]string{"a", "H", "\u1e96", "\u00e9", "\u1ead", "\u0344", "\u0301", "\u0331", "\u0323", "\u05b0", "\u3099"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(1, 4).Draw(t, "runs") {
			b.WriteString(letters.Draw(t, "first"))
			b.WriteString(strings.Repeat(letters.Draw(t, "mark"), rapid.IntRange(0, 32).Draw(t, "marks")))
		}
		_, err := events.ParseIdentity(events.DefaultRules().Identities, "email:"+b.String())
		if refused := longestPile(b.String()) > 30; (err != nil) != refused {
			t.Errorf("%+q: got error %v, want refused %v", b.String(), err, refused)
		}
		checkCanonical(t, b.String())
	})
}

// longestPile counts combining marks behind one another, fully decomposed.
func longestPile(s string) (longest int) {
	pile := 0
	for _, r := range s {
		for _, d := range norm.NFD.String(string(r)) {
			if norm.NFD.PropertiesString(string(d)).CCC() == 0 {
				pile = 0
				continue
			}
			pile++
			longest = max(longest, pile)
		}
	}
	return longest
}

// checkCanonical demands that all spellings of a local part give one identity.
func checkCanonical(t *rapid.T, local string) {
	rules := events.DefaultRules().Identities
	id, err := events.ParseIdentity(rules, "email:"+local)
	if err != nil {
		return
	}
	for _, other := range []string{norm.NFC.String(local), norm.NFD.String(local), strings.TrimPrefix(id.String(), "email:")} {
		if again, err := events.ParseIdentity(rules, "email:"+other); err != nil || again != id {
			t.Errorf("%+q gives %+q, %+q gives %+q, %v", local, id, other, again, err)
		}
	}
}
