package ledger_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/ledger"
	"github.com/sharetrail/sharetrail/ledger/decide"
	"github.com/sharetrail/sharetrail/ledger/ledgertest"
)

// people is what the property below knows: who has a sequence, and whose name is
// another's.
type people struct {
	*ledgertest.Ledger
	t        *testing.T
	enrolled map[string]bool
	aliases  map[string]string
	n        int
	keys     []byte              // an older keys.db
	shares   map[string][]string // of who can be erased
	holds    map[string]*modelHold
}

func (p *people) primary(name string) string {
	if of, is := p.aliases[name]; is {
		return of
	}
	return name
}

func (p *people) key() string { p.n++; return fmt.Sprint("step-", p.n) }

var names = []string{"ada", "grace", "joan", "mary"}

func (p *people) record(t *rapid.T) {
	some := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 3, p.primary).Draw(t, "people")
	key := p.key()
	p.MustRecord(p.t, ledgertest.Share(key, some...))
	for _, name := range some {
		primary := p.primary(name)
		p.enrolled[primary] = true
		p.shares[primary] = append(p.shares[primary], key+" "+primary)
	}
}

func (p *people) alias(t *rapid.T) {
	name, alias := rapid.SampledFrom(names).Draw(t, "name"), rapid.SampledFrom(names).Draw(t, "alias")
	_, isAlias := p.aliases[name]
	_, taken := p.aliases[alias]
	cmd := &decide.AddAlias{Subject: ledgertest.Email(name), Alias: ledgertest.Email(alias)}
	if name == alias || isAlias || taken || p.enrolled[alias] || slices.Contains(slices.Collect(maps.Values(p.aliases)), alias) {
		p.refused(cmd)
		return
	}
	p.Alias(p.t, p.key(), name, alias)
	p.enrolled[name], p.aliases[alias] = true, name
}

func (p *people) refused(cmd decide.Command) {
	p.t.Helper()
	_, err := p.Record(p.t.Context(), ledger.Command{Recorder: ledgertest.Recorder, Key: p.key(), Record: cmd})
	if refused := (*events.FieldError)(nil); !errors.As(err, &refused) {
		p.t.Fatalf("%+v was not refused: %v", cmd, err)
	}
}

func (p *people) end(t *rapid.T, reason uint8) {
	name := rapid.SampledFrom(names).Draw(t, "name")
	primary := p.primary(name)
	switch {
	case !p.enrolled[primary]:
		p.refused(&decide.Close{Subject: ledgertest.Email(name), Reason: reason})
	case reason == events.ReasonRotated:
		p.Rotate(p.t, p.key(), name)
	default:
		p.Erase(p.t, p.key(), name)
		p.keep(primary)
		delete(p.enrolled, primary)
		maps.DeleteFunc(p.aliases, func(_, of string) bool { return of == primary })
	}
}

// restart opens the ledger again: as it was, without its state, or with the keystore
// of before, if nobody was enrolled since.
func (p *people) restart(t *rapid.T) {
	how := rapid.SampledFrom([]string{"as it is", "without the state", "with older keys"}).Draw(t, "how")
	if err := p.Close(p.t); err != nil {
		p.t.Fatal(err)
	}
	switch {
	case how == "without the state":
		remove(p.t, p.Dir, "state.db")
	case how == "with older keys" && p.keys != nil:
		writeFile(p.t, p.Dir, "keys.db", p.keys)
	}
	p.Open(p.t, ledgertest.Config{})
}

func (p *people) backUp() {
	if err := p.Close(p.t); err != nil {
		p.t.Fatal(err)
	}
	p.keys = readFile(p.t, p.Dir, "keys.db")
	p.Open(p.t, ledgertest.Config{})
}

// TestPeople takes steps at random and wants after each few that exactly what the
// model knows opens, to those it concerns, and that all else is in order.
func TestPeople(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		p := &people{Ledger: ledgertest.New(t, ledgertest.Config{}), t: t, enrolled: map[string]bool{}, aliases: map[string]string{}, shares: map[string][]string{}, holds: map[string]*modelHold{}}
		p.MaxReports = 2
		steps := map[string]func(){
			"record": func() { p.keys = nil; p.record(r) }, "record more": func() { p.keys = nil; p.record(r) },
			"alias":   func() { p.keys = nil; p.alias(r) },
			"rotate":  func() { p.keys = nil; p.end(r, events.ReasonRotated) },
			"erase":   func() { p.end(r, events.ReasonErased) },
			"back up": p.backUp, "restart": func() { p.restart(r) },
			"repeat": func() { p.RepeatAll(t) },
			"check":  func() { p.Check(t); p.checkHolds() },
			"hold":   func() { p.hold(r) }, "release": func() { p.release(r) },
		}
		all := slices.Sorted(maps.Keys(steps))
		for range rapid.IntRange(5, 25).Draw(r, "steps") {
			steps[rapid.SampledFrom(all).Draw(r, "step")]()
		}
		p.RepeatAll(t)
		p.Check(t)
		p.checkHolds()
		if err := p.Close(t); err != nil {
			t.Fatal(err)
		}
		verify(t, p.Ledger)
		p.Open(t, ledgertest.Config{}) // for the cleanup
	})
}
