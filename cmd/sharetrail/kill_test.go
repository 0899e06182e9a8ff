package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/sharetrail/sharetrail/internal/api"
)

const (
	killRecorders = 32
	killPeople    = 4
)

// killed is what a round left to be found again.
type killed struct {
	moment       int               // the kill came after so many acknowledgements
	acknowledged map[string]uint64 // leaf by key
	unanswered   []string          // keys whose answer the kill took
	published    uint64            // the largest size that anybody was told of
}

// TestKillRounds kills a server with SIGKILL while 32 recorders use it over its
// socket, again and again over the same directory: three times, or twenty-four with
// SHARETRAIL_LONG. No acknowledged share is lost, moved or doubled, what was
// published is never taken back, and fsck finds everything in order, also before
// the start that follows.
func TestKillRounds(t *testing.T) {
	t.Parallel()
	rounds := 3
	if long {
		rounds = 24
	}
	dir := newLedger(t)
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(w, "round\tkilled after\tacknowledged\tunanswered\tfound\tpublished before\tafter\trestart\t\n")
	all := map[string]uint64{}
	p := startServe(t, dir)
	for round := range rounds {
		k := killRound(t, p, round)
		if !long || round%4 == 0 {
			must(t, "fsck", "--data", dir)
		}
		begun := time.Now()
		p = startServe(t, dir)
		restart := time.Since(begun)
		s, err := p.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Published < k.published || s.Foreign > 0 {
			t.Errorf("round %d: size %d was published, and after the kill %d; %d foreign events", round, k.published, s.Published, s.Foreign)
		}
		found := recordAgain(t, p, k, all)
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\t\n", round+1, k.moment, len(k.acknowledged), len(k.unanswered), found,
			k.published, s.Published, restart.Round(time.Millisecond))
	}
	w.Flush()
	t.Logf("%d recorders:\n%s", killRecorders, &table)
	checkOnce(t, p, all)
	if err := p.signal(syscall.SIGTERM); err != nil {
		t.Errorf("stopping: %v\n%s", err, &p.stderr)
	}
	must(t, "fsck", "--data", dir)
}

func killPerson(n int) string { return fmt.Sprintf("email:killed-%d@example.com", n) }

// killShare is the share of a key, about one of a few people, who are the same in
// each round.
func killShare(key string) api.Record {
	var round, recorder, n int
	if _, err := fmt.Sscanf(key, "k-%d-%d-%d", &round, &recorder, &n); err != nil {
		panic(err)
	}
	return share(killPerson((recorder+n)%killPeople), key)
}

// killRound records with all recorders and kills the server after some random
// number of acknowledgements, wherever it happens to be.
func killRound(t *testing.T, p *process, round int) *killed {
	t.Helper()
	k := &killed{moment: 20 + rand.IntN(400), acknowledged: map[string]uint64{}}
	var mu sync.Mutex // guards k
	var over atomic.Bool
	var all sync.WaitGroup
	reached := make(chan struct{})
	for recorder := range killRecorders {
		all.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("k-%d-%d-%d", round, recorder, n)
				pos, err := p.client.Record(t.Context(), key, "accepted", killShare(key))
				mu.Lock()
				if err != nil {
					k.unanswered = append(k.unanswered, key)
					if len(k.acknowledged) < k.moment {
						t.Errorf("round %d: before the kill: %v", round, err)
						k.moment = 0 // give up
						close(reached)
					}
					mu.Unlock()
					return
				}
				k.acknowledged[key] = pos.Index
				if len(k.acknowledged) == k.moment {
					close(reached)
				}
				mu.Unlock()
			}
		})
	}
	all.Go(func() {
		for !over.Load() {
			s, err := p.client.Status(t.Context())
			if err != nil {
				return
			}
			mu.Lock()
			k.published = max(k.published, s.Published)
			mu.Unlock()
		}
	})
	<-reached
	p.signal(syscall.SIGKILL)
	over.Store(true)
	all.Wait()
	if k.moment == 0 {
		t.FailNow()
	}
	return k
}

// recordAgain sends everything of a round once more: what was acknowledged is
// there, at its leaf; what was not is there now. It counts what it found.
func recordAgain(t *testing.T, p *process, k *killed, all map[string]uint64) (found int) {
	t.Helper()
	for key, index := range k.acknowledged {
		again, err := p.client.Record(t.Context(), key, "accepted", killShare(key))
		if err != nil || !again.Repeat || again.Index != index {
			t.Errorf("%s was acknowledged as leaf %d and is %+v, %v", key, index, again, err)
			continue
		}
		all[key] = index
		found++
	}
	for _, key := range k.unanswered {
		now, err := p.client.Record(t.Context(), key, "accepted", killShare(key))
		if err != nil {
			t.Errorf("%s, which was not answered: %v", key, err)
			continue
		}
		all[key] = now.Index
	}
	return found
}

// checkOnce wants each share once, in the report about its person, at its leaf.
func checkOnce(t *testing.T, p *process, all map[string]uint64) {
	t.Helper()
	at := map[string]uint64{}
	for n := range killPeople {
		for _, e := range p.report(killPerson(n)).Entries {
			if index, twice := at[e.Private.Description]; twice {
				t.Errorf("%s is in the reports twice, as leaf %d and %d", e.Private.Description, index, e.Index)
			}
			at[e.Private.Description] = e.Index
		}
	}
	leaves := map[uint64]string{}
	for key, index := range all {
		if at[key] != index {
			t.Errorf("%s is leaf %d and in the report %d", key, index, at[key])
		}
		if other, taken := leaves[index]; taken {
			t.Errorf("leaf %d is %s and %s", index, key, other)
		}
		leaves[index] = key
	}
	if len(at) != len(all) {
		t.Errorf("the reports have %d shares and %d were recorded", len(at), len(all))
	}
}
