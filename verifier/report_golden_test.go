package verifier_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

var updateReport = flag.Bool("update-report", false, "add missing files to testdata/report; never changes one")

const reportVectors = "testdata/report"

// goldenVerdict is the verdict on a golden report that every later program must
// give as well. Prose may change and is not in it.
type goldenVerdict struct {
	Role     string   `json:"role"`
	ID       string   `json:"id"`
	Others   []string `json:"others,omitempty"`   // further names that the reader types
	Previous string   `json:"previous,omitempty"` // a checkpoint that the reader kept
	Refuted  string   `json:"refuted,omitempty"`  // the check that failed
	Error    string   `json:"error,omitempty"`    // the file is unusable
	Size     uint64   `json:"size,omitempty"`
	StateMS  uint64   `json:"state_time_ms,omitempty"`
	Enrolled bool     `json:"enrolled,omitempty"`
	Copy     bool     `json:"copy,omitempty"`
	Chain    int      `json:"chain,omitempty"`
	Filtered uint64   `json:"filtered,omitempty"`
	// What the trust file pins, and since when its quorum had seen the checkpoint.
	Witnessed bool   `json:"witnessed,omitempty"`
	Audited   bool   `json:"audited,omitempty"`
	SeenAt    uint64 `json:"seen_at,omitempty"`

	Names   []verifier.ShownName  `json:"names,omitempty"` // where there is more than one sequence that goes on
	Entries []verifier.ShownEntry `json:"-"`
	Shown   json.RawMessage       `json:"entries,omitempty"`
}

// goldenReports are the files, good and bad.
var goldenReports = map[string]struct {
	role events.Role
	id   string
	tell func(*standard, *reader) []byte
}{
	"ada":       {events.RoleSubject, adaID, edited(func(*standard, *verifier.Report) {})},
	"recipient": {events.RoleRecipient, "org:northwind", func(s *standard, _ *reader) []byte { return s.sign(s.write(s.org)) }},
	"nobody": {events.RoleSubject, "email:nobody@example.com", func(s *standard, _ *reader) []byte {
		return s.sign(s.write(s.party(events.RoleSubject, "email:nobody@example.com")))
	}},
	"escapes": {events.RoleSubject, adaID, enrolledOther(func(f *forger, ada *party) {
		d := sample(1)
		d.Occurred = events.Occurred{At: "2026-09-01T02:00:00+05:00"}
		d.Recipient.LegalName = "North\x1b[2Jwind\u202edniw\r"
		d.Data.Categories = []string{"name\n\nChecked:\n  + witnessed: by everybody"}
		f.share(d, ada)
	})},
	"last-left-out":     {events.RoleSubject, adaID, told("the last entry is left out, with a forged absence")},
	"middle-left-out":   {events.RoleSubject, adaID, told("a middle entry is left out")},
	"reordered":         {events.RoleSubject, adaID, told("entries change places")},
	"altered-field":     {events.RoleSubject, adaID, told("a field's value is altered")},
	"another-sequence":  {events.RoleSubject, adaID, told("another identity's sequence under this name")},
	"hidden-generation": {events.RoleSubject, adaID, told("a hidden generation")},
	"denied":            {events.RoleSubject, adaID, told("nothing about somebody who is enrolled")},
	"stale-state":       {events.RoleSubject, adaID, told("the state is an older one")},
	"log-key-signs":     {events.RoleSubject, adaID, told("signed by the log key")},
	"own-trust":         {events.RoleSubject, adaID, told("it brings its own trust")},
	"spare-bits":        {events.RoleSubject, adaID, told("spare bits in the signature's base64")},
	"flipped": {events.RoleSubject, adaID, func(s *standard, _ *reader) []byte {
		b := s.sign(s.write(s.ada))
		b[len(b)*2/3] ^= 1
		return b
	}},
	"rotated":            {events.RoleSubject, adaID, before(func(s *standard) { s.ada = rotate(s).ada })},
	"alias":              {events.RoleSubject, adaID, asWork(func(*standard, *party, *verifier.Report) {})},
	"filtered":           {events.RoleSubject, adaID, underFilter(func(*standard, *verifier.Report) {})},
	"copy":               {events.RoleSubject, adaID, inCopy(func(*standard, *verifier.Report) {})},
	"chain":              {events.RoleSubject, adaID, inChain(func(*chained, *verifier.Report) {})},
	"extends":            {events.RoleSubject, adaID, extending},
	"hidden-end":         {events.RoleSubject, adaID, told("the end of the last sequence is hidden")},
	"alias-denied":       {events.RoleSubject, adaID, told("an alias is denied")},
	"filter-hides":       {events.RoleSubject, adaID, told("the filter hides what it should show")},
	"continued":          {events.RoleSubject, adaID, toReader(func(t testing.TB) (*reader, []byte) { return newCrowded(t, nil).finish().tell(nil) })},
	"continued-added":    {events.RoleSubject, adaID, toReader(continuedLies()["more parts than the header says"].tell)},
	"unsealed":           {events.RoleSubject, adaID, toReader(unsealedTo(func(s *sealer) *party { return s.ada }, 1))},
	"unsealed-recipient": {events.RoleRecipient, "org:agency", toReader(unsealedTo(func(s *sealer) *party { return s.agency }, events.BodyAlone))},
	"unsealed-filtered":  {events.RoleSubject, adaID, toReader(underNoFilter)},
	"unsealed-alias":     {events.RoleSubject, adaID, toReader(underAlias(toAda, nil))},
	"complete":           {events.RoleSubject, adaID, toReader(cosignedBy(bothOfEach))},
	"two-of-three":       {events.RoleSubject, adaID, toReader(cosignedBy(metQuorums["two of 3"]))},
	"not-cosigned":       {events.RoleSubject, adaID, quorumLie("missing auditor")},
	"seen-too-early":     {events.RoleSubject, adaID, quorumLie("one of two dates it")},
	"cosigned-elsewhere": {events.RoleSubject, adaID, quorumLie("cosigned, then grown")},
	"register":           {events.RoleAuthority, courtID, toReader(register(wholeRegister))},
	"dealt-to-another":   {events.RoleSubject, adaID, toReader(sealLies()["dealt to somebody else"].tell)},
	"lifted-by-one":      {events.RoleAuthority, courtID, toReader(registerLies()["lifted by one"].tell)},
	"header-left-out":    {events.RoleSubject, adaID, toReader(continuedLies()["the header is left out"].tell)},
	"chain-broken":       {events.RoleSubject, adaID, told("the newer ledger began with another checkpoint")},
	"rolled-back":        {events.RoleSubject, adaID, told("a rolled back ledger, to a reader who kept a checkpoint")},
	"skipped-by-seven":   {events.RoleSubject, adaID, told("a counter that was skipped by seven")},
	"copy-of-anothers":   {events.RoleSubject, adaID, told("a copy of another's entry")},
	"entry-after-an-end": {events.RoleSubject, adaID, told("an entry after the end")},
	"cut": {events.RoleSubject, adaID, func(s *standard, _ *reader) []byte {
		b := s.sign(s.write(s.ada))
		return b[:len(b)/2]
	}},
}

// toReader tells a report of a ledger of its own to a reader who pins that.
func toReader(tell func(testing.TB) (*reader, []byte)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		who, file := tell(s.t)
		*r = *who
		return file
	}
}

// extending is Ada's report to a reader who kept an earlier checkpoint.
func extending(s *standard, r *reader) []byte {
	r.previous = s.signedCheckpoint(4)
	report := s.write(s.ada)
	part(report).Earlier = s.earlierOf(4)
	return s.sign(report)
}

// allLies is the adversary matrix.
func allLies() []lie {
	return slices.Concat(entryLies, contentLies, sequenceLies, ledgerLies, fileLies, generationLies, aliasLies, filterLies, copyLies, chainLies, earlierLies)
}

// told finds a lie of the adversary matrix by its name.
func told(name string) func(*standard, *reader) []byte { return lieOf(allLies(), name) }

func quorumLie(name string) func(*standard, *reader) []byte { return lieOf(quorumLies(), name) }

func lieOf(all []lie, name string) func(*standard, *reader) []byte {
	i := slices.IndexFunc(all, func(l lie) bool { return l.name == name })
	return all[i].tell
}

func verdictOf(r *reader, file []byte) (g goldenVerdict) {
	g.Role, g.ID, g.Others, g.Previous = r.role.String(), r.id, r.others, r.previous
	v, err := r.check(file)
	var refuted *verifier.RefutedError
	switch {
	case errors.As(err, &refuted):
		g.Refuted = refuted.Check
	case err != nil:
		g.Error = err.Error()
	default:
		g.Size, g.StateMS, g.Enrolled, g.Entries = v.Size, v.StateTimeMS, v.Enrolled, v.Entries
		g.Copy, g.Chain, g.Filtered = v.Copy, v.Chain, v.Filtered
		g.Witnessed, g.Audited, g.SeenAt = v.Witnessed, v.Audited, v.SeenAt
		if len(v.Names) > 1 || len(v.Names[0].Sequences) > 1 {
			g.Names = v.Names
		}
	}
	return g
}

func (g goldenVerdict) marshal(t *testing.T) []byte {
	t.Helper()
	if g.Entries != nil {
		g.Shown = must(t)(events.MarshalJSON(g.Entries))
	}
	var b bytes.Buffer
	if err := json.Indent(&b, must(t)(events.MarshalJSON(g)), "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

func must(t *testing.T) func([]byte, error) []byte {
	t.Helper()
	return func(b []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

// TestGoldenReports checks the committed reports against the verdicts beside
// them: every program that verifies must agree with them for ever.
func TestGoldenReports(t *testing.T) {
	trustFile := filepath.Join(reportVectors, "trust.json")
	if *updateReport {
		addReports(t, trustFile)
	}
	trust, err := verifier.ParseTrust(must(t)(os.ReadFile(trustFile)))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(reportVectors, "*.sharetrail"))
	if err != nil || len(files) < len(goldenReports) {
		t.Fatalf("%d reports, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path[:len(path)-len(".sharetrail")])
		t.Run(name, func(t *testing.T) {
			want := must(t)(os.ReadFile(filepath.Join(reportVectors, name+".json")))
			var who goldenVerdict
			if err := json.Unmarshal(want, &who); err != nil {
				t.Fatal(err)
			}
			role, _ := events.ParseRole(who.Role)
			pinned := trust
			if own, err := os.ReadFile(filepath.Join(reportVectors, name+".trust.json")); err == nil {
				if pinned, err = verifier.ParseTrust(own); err != nil {
					t.Fatal(err)
				}
			}
			got := verdictOf(&reader{role: role, id: who.ID, trust: pinned, others: who.Others, previous: who.Previous}, must(t)(os.ReadFile(path))).marshal(t)
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("verdict (-committed +given):\n%s", diff)
			}
		})
	}
}

// addReports writes what is missing.
func addReports(t *testing.T, trustFile string) {
	t.Helper()
	addFile(t, trustFile, newStandard(t).trust().Marshal())
	committed, err := verifier.ParseTrust(must(t)(os.ReadFile(trustFile)))
	if err != nil {
		t.Fatal(err)
	}
	for name, g := range goldenReports {
		path := filepath.Join(reportVectors, name)
		s := newStandard(t)
		r := &reader{role: g.role, id: g.id, trust: s.trust()}
		file := g.tell(s, r)
		if !addFile(t, path+".sharetrail", file) {
			continue
		}
		addFile(t, path+".json", verdictOf(r, file).marshal(t))
		if !bytes.Equal(r.trust.Canonical(), committed.Canonical()) {
			addFile(t, path+".trust.json", r.trust.Marshal())
		}
	}
}

func addFile(t *testing.T, path string, b []byte) (added bool) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if errors.Is(err, os.ErrExist) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	return true
}
