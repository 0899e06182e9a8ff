package projections_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

// BenchmarkApply projects pages of 500 shares, each about one of 2,000 people and
// with one of 50 recipients: parsing, keys, opening, decoding and the commit.
func BenchmarkApply(b *testing.B) {
	s := projectionstest.NewStream(b)
	people, recipients := named("p", 2000), named("r", 50)
	for part := range slices.Chunk(people, 250) {
		s.Enrol(events.RoleSubject, part...)
	}
	s.Enrol(events.RoleRecipient, recipients...)
	for i := range 20_000 {
		s.Share(recipients[i%50], people[rand.IntN(2000)])
	}
	all := streamed(b, s)
	for _, e := range projectionstest.Engines {
		b.Run(e.Name, func(b *testing.B) {
			n := 0
			for b.Loop() {
				b.StopTimer()
				m := open(b, e.New(b).MustOpen(b, projectionstest.Origin), s)
				b.StartTimer()
				for page := range slices.Chunk(all, 500) {
					if err := m.Apply(b.Context(), page); err != nil {
						b.Fatal(err)
					}
				}
				n += len(all)
			}
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "events/s")
		})
	}
}

func named(prefix string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(prefix, i)
	}
	return all
}

// BenchmarkRead reads the first 100 shares of a random one among 5,000 parties, of
// 1,000,000 entries, and what became of them: every tenth entry amends the one
// before it.
func BenchmarkRead(b *testing.B) {
	const parties, each = 5000, 200
	v, err := projectionstest.Place(b.TempDir()).MustOpen(b, projectionstest.Origin).Open(b.Context(), projections.Name, 1)
	if err != nil {
		b.Fatal(err)
	}
	defer v.Close()
	facts := fmt.Sprintf(`{"occurred":{"at":"2026-01-02T03:04:05Z"},"filling":"%0500d"}`, 0)
	next := uint64(0)
	for number := range uint64(each) {
		c := &projections.Changes{From: next, Turn: number, Next: next + parties}
		for party := range uint64(parties) {
			var about *uint64
			typ := events.TypeDisclosureRecorded
			if number%10 == 9 {
				typ, about = events.TypeDisclosureAmended, new(uint64)
				*about = (number-1)*parties + party
			}
			c.Entries = append(c.Entries, projections.Entry{
				Party: projections.PartyID(party + 1), Number: number, Index: next, Type: typ, About: about, Recorded: time.Unix(1, 0),
				OccurredAt: "2026-01-02T03:04:05Z", RecipientID: "org:northwind", Recipient: "Northwind", Country: "IE",
				Category: "payment", Facts: facts,
			})
			next++
		}
		if err := v.Commit(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		page, err := v.Entries(b.Context(), projections.EntryQuery{Party: projections.PartyID(1 + rand.IntN(parties)), Limit: 100, UpTo: 1 << 62, Kind: projections.KindShare, Later: true})
		if took = append(took, time.Since(began)); err != nil || len(page.Entries) != 100 || len(page.Later) != 11 {
			b.Fatal(len(page.Entries), len(page.Later), err)
		}
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
}
