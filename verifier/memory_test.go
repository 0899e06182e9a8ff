package verifier_test

import (
	"bytes"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// TestMemory: a stranger's file that is all structure is refused at little more
// than the cost of reading it.
func TestMemory(t *testing.T) {
	s := newStandard(t)
	honest := s.write(s.ada)
	doc := string(must(t)(events.MarshalJSON(honest)))
	list := func(name, element string) []byte {
		at := strings.Index(doc, `"`+name+`":[`) + len(name) + len(`"":[`)
		n := (verifier.MaxUnpinnedSize - len(doc) - 1000) / len(element+",")
		return []byte(doc[:at] + strings.Repeat(element+",", n) + doc[at:])
	}
	rules := *honest
	rules.Parts = append([]verifier.Evidence{}, rules.Parts...)
	rules.Parts[0].Rules = []string{strings.Replace(rules.Parts[0].Rules[0], `"identities":[`, `"identities":[`+strings.Repeat(`{},`, 2_000_000), 1)}
	trust := *honest
	trust.Trust = strings.Replace(trust.Trust, `"predecessors":[`, `"predecessors":[`+strings.Repeat(`"",`, 1_000_000)+`""`, 1)
	for name, doc := range map[string][]byte{
		"empty entries":   list("entries", `{}`),
		"null entries":    list("entries", `null`),
		"numbers":         list("entries", `0`),
		"nested entries":  list("entries", `[[[[[[[]]]]]]]`),
		"short texts":     list("ids", `""`),
		"null texts":      list("ids", `null`),
		"empty parts":     list("parts", `{}`),
		"empty names":     list("names", `{}`),
		"long paths":      []byte(strings.Replace(doc, `"siblings":"`, `"siblings":"`+strings.Repeat("AAAA", (verifier.MaxUnpinnedSize-len(doc)-1000)/4), 1)),
		"empty absences":  list("absences", `{}`),
		"only brackets":   bytes.Repeat([]byte("["), verifier.MaxUnpinnedSize-1000),
		"many identities": must(t)(events.MarshalJSON(&rules)),
		"predecessors":    must(t)(events.MarshalJSON(&trust)),
	} {
		file := s.signDocument(t, doc)
		if len(file) > verifier.MaxUnpinnedSize {
			t.Fatalf("%s: %d bytes", name, len(file))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), nil)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, verifier.ErrReport) {
			t.Errorf("%s: %v", name, err)
		}
		const most = 12 * verifier.MaxUnpinnedSize
		if took := after.TotalAlloc - before.TotalAlloc; took > most {
			t.Errorf("%s: a file of %d bytes took %d", name, len(file), took)
		}
	}
}

// TestUnpinnedSize: with nothing pinned, less is read.
func TestUnpinnedSize(t *testing.T) {
	s := newStandard(t)
	r := s.write(s.ada)
	r.Statement.Notice = strings.Repeat("x", verifier.MaxUnpinnedSize)
	file := s.sign(r)
	if _, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), s.trust()); err != nil {
		t.Error(err)
	}
	if _, err := verifier.CheckReport(file, verifier.About(events.RoleSubject, adaID), nil); !errors.Is(err, verifier.ErrTooLargeUnpinned) {
		t.Errorf("nothing pinned: %v", err)
	}
}
