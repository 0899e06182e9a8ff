package verifier_test

import (
	"errors"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

// chained is two ledgers, the second of which continues the first.
type chained struct {
	old, now       *forger
	oldAda, nowAda *party
}

// newChained closes the standard ledger and begins its successor. end and begin
// change what is done.
func newChained(s *standard, end func(*events.State), begin func(*forger)) *chained {
	s.share(sample(4), s.org, s.ada)
	s.alterState = func(st *events.State) {
		st.Final, st.Successor = true, []byte("ledger.example/2027")
		if end != nil {
			end(st)
		}
	}
	s.state()
	return succeed(s.forger, s.ada, begin)
}

// succeed begins the ledger that continues another one.
func succeed(old *forger, ada *party, begin func(*forger)) *chained {
	t := old.t
	const origin = "ledger.example/2027"
	body, _, _ := strings.Cut(old.signedCheckpoint(old.next()), "\n\n")
	now := &forger{
		t: t, origin: origin, stream: "sharetrail-2027", rules: events.DefaultRules().Marshal(), timeMS: old.timeMS + minute,
		log: newSigner(t, origin, 11), report: newSigner(t, origin+"/report", 12), vrf: newVRF(t, 13),
		events: map[uint64]*written{}, unindexed: map[events.Hash]bool{}, random: 1 << 32,
		predecessor: []byte(body + "\n"), predecessors: old.trust().Succeed(),
	}
	if begin != nil {
		begin(now)
	}
	now.state()
	c := &chained{old: old, now: now, oldAda: ada, nowAda: now.party(events.RoleSubject, adaID)}
	now.enrol(c.nowAda)
	now.share(sample(5), c.nowAda)
	now.state()
	return c
}

func (c *chained) write() *verifier.Report {
	r := c.now.write(c.nowAda)
	r.Parts = []verifier.Evidence{c.old.part(c.oldAda), r.Parts[0]}
	return r
}

func (c *chained) sign(r *verifier.Report) []byte { return c.now.sign(r) }

// inChain is Ada's report over both ledgers with a change to it.
func inChain(change func(*chained, *verifier.Report)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		c := newChained(s, nil, nil)
		r.trust = c.now.trust()
		report := c.write()
		change(c, report)
		return c.sign(report)
	}
}

// otherChain is Ada's report over two ledgers that were linked in another way.
func otherChain(end func(*events.State), begin func(*forger)) func(*standard, *reader) []byte {
	return func(s *standard, r *reader) []byte {
		c := newChained(s, end, begin)
		r.trust = c.now.trust()
		return c.sign(c.write())
	}
}

const ofOld = " of ledger.example/2026"

var chainLies = []lie{
	{"a leaf of the older ledger that nothing names", inChain(func(c *chained, r *verifier.Report) {
		r.Parts[0].Targets = []verifier.Target{c.old.target(c.oldAda.enrol.index)}
	}), "referenced leaf of ledger.example/2026"},
	{"the older ledger is left out", inChain(func(_ *chained, r *verifier.Report) { r.Parts = r.Parts[1:] }), "report signature"},
	{"the ledgers change places", inChain(func(_ *chained, r *verifier.Report) {
		r.Parts[0], r.Parts[1] = r.Parts[1], r.Parts[0]
	}), "report signature"},
	{"the older ledger twice", inChain(func(_ *chained, r *verifier.Report) { r.Parts[1] = r.Parts[0] }), "report signature"},
	{"the older ledger is another one of its name", func(s *standard, r *reader) []byte {
		c := newChained(s, nil, nil)
		r.trust = c.now.trust()
		rules := events.DefaultRules()
		rules.GrainMS *= 2
		other := s.under(rules)
		other.state()
		report := c.write()
		report.Parts[0] = other.part(other.party(events.RoleSubject, adaID))
		return c.sign(report)
	}, "genesis" + ofOld},
	{"an entry of the older ledger is left out", inChain(func(c *chained, r *verifier.Report) {
		c.oldAda.entries = c.oldAda.entries[:3]
		r.Parts[0] = c.old.part(c.oldAda)
	}), completeness + ofOld},
	{"the older ledger is shown before its end", func(s *standard, r *reader) []byte {
		early := s.part(s.ada)
		c := newChained(s, nil, nil)
		r.trust = c.now.trust()
		report := c.write()
		report.Parts[0] = early
		return c.sign(report)
	}, "chain"},
	{"the older ledger ended by naming another", otherChain(func(st *events.State) { st.Successor = []byte("ledger.example/2028") }, nil), "chain"},
	{"the older ledger did not end", otherChain(func(st *events.State) { st.Final, st.Successor = false, nil }, nil), "chain"},
	{"the newer ledger began with another checkpoint", otherChain(nil, func(f *forger) {
		f.predecessor = []byte(strings.Replace(string(f.predecessor), "\n9\n", "\n8\n", 1))
	}), "chain"},
	{"the newer ledger began with nothing", otherChain(nil, func(f *forger) { f.predecessor = nil }), "chain"},
	{"the newer ledger began before the older one ended", otherChain(nil, func(f *forger) { f.timeMS -= 5 * minute }), "chain"},
	{"the trust file hides the ledger before", otherChain(nil, func(f *forger) { f.predecessors = nil }), "report signature"},
	{"a chain of one that continues another", func(s *standard, r *reader) []byte {
		c := newChained(s, nil, func(f *forger) { f.predecessors = nil })
		r.trust = c.now.trust()
		report := c.write()
		report.Parts = report.Parts[1:]
		return c.sign(report)
	}, "chain"},
	{"leaves follow a genesis that is final", func(s *standard, r *reader) []byte {
		f := &forger{t: s.t, origin: s.origin, stream: s.stream, rules: s.rules, timeMS: genesisMS, log: s.log,
			report: s.report, vrf: s.vrf, events: map[uint64]*written{}, alterState: func(st *events.State) { st.Final = true }}
		f.state()
		f.alterState = nil
		f.state()
		r.trust = f.trust()
		return f.sign(f.write(f.party(events.RoleSubject, adaID)))
	}, "genesis"},
	{"a copy in one ledger alone", inChain(func(_ *chained, r *verifier.Report) { r.Parts[0].Copy = true }), "person"},
	{"another filter in the older ledger", inChain(func(c *chained, r *verifier.Report) {
		r.Parts[0] = c.old.filtered(c.oldAda, late).Parts[0]
	}), "filter" + ofOld},
	{"another name in the older ledger", inChain(func(c *chained, r *verifier.Report) {
		r.Parts[0] = c.old.part(c.old.party(events.RoleSubject, "email:nobody@example.com"))
	}), "person"},
}

// earlierOf is the checkpoint of a size with its consistency proof.
func (f *forger) earlierOf(size uint64) *verifier.Earlier {
	f.t.Helper()
	e := &verifier.Earlier{Checkpoint: f.signedCheckpoint(size)}
	proof, err := tlog.ProveTree(int64(f.next()), int64(size), f.storage(f.next()))
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range proof {
		e.Proof = append(e.Proof, events.Hash(h))
	}
	return e
}

var earlierLies = []lie{
	{"an earlier checkpoint of another history", edited(func(s *standard, r *verifier.Report) {
		other := newForger(s.t)
		other.enrol(other.party(events.RoleSubject, "email:other@example.com"))
		other.share(sample(7))
		other.state()
		part(r).Earlier = s.earlierOf(4)
		part(r).Earlier.Checkpoint = other.signedCheckpoint(4)
	}), "earlier checkpoint"},
	{"an earlier checkpoint without its proof", edited(func(s *standard, r *verifier.Report) {
		part(r).Earlier = s.earlierOf(4)
		part(r).Earlier.Proof = verifier.Path{}
	}), "earlier checkpoint"},
	{"an earlier checkpoint with a proof too long", edited(func(s *standard, r *verifier.Report) {
		part(r).Earlier = s.earlierOf(4)
		part(r).Earlier.Proof = append(part(r).Earlier.Proof, s.draw())
	}), "earlier checkpoint"},
	{"an earlier checkpoint that is later", edited(func(s *standard, r *verifier.Report) {
		s.share(sample(4), s.ada)
		s.state()
		part(r).Earlier = &verifier.Earlier{Checkpoint: s.signedCheckpoint(9)}
	}), "earlier checkpoint"},
	{"an earlier checkpoint by another key", edited(func(s *standard, r *verifier.Report) {
		text, _, _ := strings.Cut(s.signedCheckpoint(4), "\n\n")
		part(r).Earlier = s.earlierOf(4)
		part(r).Earlier.Checkpoint = string(signNote(s.t, text+"\n", s.report))
	}), "earlier checkpoint"},
	{"an earlier checkpoint of nothing", edited(func(s *standard, r *verifier.Report) {
		s.checkpoint = func(string) string { return verifier.Checkpoint{Origin: s.origin}.Format() }
		part(r).Earlier = &verifier.Earlier{Checkpoint: s.signedCheckpoint(4)}
	}), "earlier checkpoint"},
	{"the checkpoint that the reader kept is not shown", func(s *standard, r *reader) []byte {
		r.previous = s.signedCheckpoint(4)
		return s.sign(s.write(s.ada))
	}, "previous checkpoint"},
	{"another checkpoint is shown than the one that the reader kept", func(s *standard, r *reader) []byte {
		r.previous = s.signedCheckpoint(4)
		report := s.write(s.ada)
		part(report).Earlier = s.earlierOf(3)
		return s.sign(report)
	}, "previous checkpoint"},
	{"what the reader kept is another ledger's", func(s *standard, r *reader) []byte {
		r.previous = string(signNote(s.t, verifier.Checkpoint{Origin: s.origin, Size: 4}.Format(), s.report))
		return s.sign(s.write(s.ada))
	}, "previous checkpoint"},
	{"a rolled back ledger, to a reader who kept a checkpoint", func(s *standard, r *reader) []byte {
		r.previous = s.signedCheckpoint(7)
		s.leaves, s.labels = s.leaves[:4], s.labels[:8]
		s.ada.entries = s.ada.entries[:1]
		return s.sign(s.write(s.ada))
	}, "previous checkpoint"},
}

// TestChain: two ledgers, one report, each part under its own keys.
func TestChain(t *testing.T) {
	c := newChained(newStandard(t), nil, nil)
	v, err := verifier.CheckReport(c.sign(c.write()), verifier.About(events.RoleSubject, adaID), c.now.trust())
	if err != nil {
		t.Fatal(err)
	}
	if v.Chain != 2 || len(v.Entries) != 5 || v.Entries[0].Origin != "ledger.example/2026" || v.Entries[4].Origin != "" || v.Origin != "ledger.example/2027" ||
		!strings.Contains(v.Sentence, "5 entries about email:ada@example.com in the 2 ledgers up to ledger.example/2027") {
		t.Errorf("%+v", v)
	}
	// The trust file of three.
	three := c.now.trust().Succeed()
	if len(three) != 2 || strings.Contains(three[1], "2026") {
		t.Errorf("the third ledger's predecessors: %q", three)
	}
}

// TestClosed: a ledger that ended can be asked for ever, and says where it goes on.
func TestClosed(t *testing.T) {
	s := newStandard(t)
	newChained(s, nil, nil)
	v, err := verifier.CheckReport(s.sign(s.write(s.ada)), verifier.About(events.RoleSubject, adaID), s.trust())
	if err != nil || !v.Closed || v.Successor != "ledger.example/2027" || !strings.Contains(v.NotShown[0], "its successor, ledger.example/2027") {
		t.Errorf("%+v, %v", v, err)
	}
}

// TestEarlier: a reader who kept an older report learns that nothing of it was
// changed.
func TestEarlier(t *testing.T) {
	s := newStandard(t)
	kept := s.sign(s.write(s.ada))
	s.share(sample(4), s.ada)
	s.state()
	r := s.write(s.ada)
	part(r).Earlier = s.earlierOf(7)
	previous, err := verifier.CheckpointIn(kept)
	if err != nil {
		t.Fatal(err)
	}
	for _, previous := range []string{"", previous, part(r).Checkpoint} {
		v, err := verifier.CheckReport(s.sign(r), verifier.Asked{Role: events.RoleSubject, IDs: []string{adaID}, Previous: previous}, s.trust())
		if err != nil || len(v.Extends) != 1 || v.Extends[0].Size != 7 {
			t.Errorf("%+v, %v", v, err)
		}
	}
	if got, err := verifier.CheckpointIn([]byte(previous)); err != nil || got != previous {
		t.Errorf("a checkpoint by itself: %q, %v", got, err)
	}
	for _, bad := range []string{"", "x", "a\n\nb", strings.TrimPrefix(string(kept), "s"), string(kept[:200])} {
		if got, err := verifier.CheckpointIn([]byte(bad)); err == nil {
			t.Errorf("%.20q: %q", bad, got)
		}
	}
}

// TestRulesVersions: rules that add are followed, and none that change.
func TestRulesVersions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(older, newer *events.Rules)
		want   string
	}{
		"adds types": {func(older, _ *events.Rules) {
			delete(older.Fields, "ConsentGiven")
			delete(older.Labels, "ConsentGiven")
		}, ""},
		"adds a role": {func(older, _ *events.Rules) { older.Labels["Enrolled"] = older.Labels["Enrolled"][:2] }, ""},
		"nothing":     {func(_, _ *events.Rules) {}, ""},
		"takes a type away": {func(_, newer *events.Rules) {
			delete(newer.Fields, "ConsentGiven")
			delete(newer.Labels, "ConsentGiven")
		}, "rules"},
		"takes a role away":    {func(_, newer *events.Rules) { newer.Labels["Enrolled"] = newer.Labels["Enrolled"][:2] }, "rules"},
		"another case rule":    {func(_, newer *events.Rules) { newer.Identities[0].Case = "lower-ascii" }, "rules"},
		"another namespace":    {func(_, newer *events.Rules) { newer.Identities = newer.Identities[:2] }, "rules"},
		"another grain":        {func(_, newer *events.Rules) { newer.GrainMS *= 2 }, "rules"},
		"another previous":     {func(_, newer *events.Rules) { newer.Previous = &events.Hash{1} }, "rules"},
		"a version is skipped": {func(_, newer *events.Rules) { newer.Version = 3 }, "rules"},
	} {
		s := newStandard(t)
		older, newer := events.DefaultRules(), events.DefaultRules()
		c.change(older, newer)
		f := s.under(older)
		f.unindexed = map[events.Hash]bool{}
		ada := f.party(events.RoleSubject, adaID)
		f.enrol(ada)
		f.share(sample(1), ada)
		hash := events.RulesHash(f.rules)
		if newer.Version == 1 {
			newer.Version = 2
		}
		if newer.Previous == nil {
			newer.Previous = &hash
		}
		f.older, f.rules = [][]byte{f.rules}, newer.Marshal()
		f.state()
		_, err := verifier.CheckReport(f.sign(f.write(ada)), verifier.About(events.RoleSubject, adaID), f.trust())
		var refuted *verifier.RefutedError
		if c.want == "" && err != nil || c.want != "" && (!asRefuted(err, &refuted) || refuted.Check != c.want) {
			t.Errorf("%s: %v", name, err)
		}
		// The newest alone is not the first.
		if c.want == "" {
			r := f.write(ada)
			part(r).Rules = part(r).Rules[1:]
			if _, err := verifier.CheckReport(f.sign(r), verifier.About(events.RoleSubject, adaID), f.trust()); !asRefuted(err, &refuted) {
				t.Errorf("%s, the newest alone: %v", name, err)
			}
		}
	}
}

func asRefuted(err error, refuted **verifier.RefutedError) bool { return errors.As(err, refuted) }
