package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// ErrQuorum says that the cosigners whom the publication policy demands have not
// signed what is newest. Everything accepted is kept and is published once they do.
var ErrQuorum = errors.New("the quorum of cosigners is missing")

const (
	defaultPatience = 10 * time.Second
	// graceForRest is how long a publication whose quorum is met waits for the others.
	graceForRest = 250 * time.Millisecond
)

// cosigners are those of one publication policy, each in its goroutine. The
// publisher owns the set; Status reads it.
type cosigners struct {
	pub    *Publication
	all    []*cosigner
	signal chan struct{}
	stop   context.CancelFunc
	done   sync.WaitGroup
}

// cosigning returns the cosigners of the policy in force, and starts them if it is
// new.
func (l *Ledger) cosigning(ctx context.Context) *cosigners {
	pub, now := l.publication.Load(), l.cosigners.Load()
	if now != nil && now.pub == pub {
		return now
	}
	if now != nil {
		now.close()
	}
	ctx, stop := context.WithCancel(ctx)
	next := &cosigners{pub: pub, stop: stop, signal: make(chan struct{}, 1)}
	statuses := pub.statuses()
	for i, w := range pub.policy.Witnesses {
		c := &cosigner{
			Ledger: l, PolicyWitness: w, client: witness.Client{URL: w.URL}, newest: make(chan candidate, 1), signal: next.signal,
			status: statuses[i],
		}
		next.all = append(next.all, c)
		next.done.Go(func() { c.run(ctx) })
	}
	l.cosigners.Store(next)
	return next
}

// close returns when nobody asks any more.
func (s *cosigners) close() {
	s.stop()
	s.done.Wait()
}

// gather has everybody asked about a checkpoint and returns the note with the
// signatures that came: all of them, or what came in time. Once the quorum is met
// the others have a moment; one that failed the last time is not waited for, and
// tries on.
func (s *cosigners) gather(ctx context.Context, t candidate, patience time.Duration) (signed string, by verifier.Cosigned, err error) {
	for _, c := range s.all {
		c.offer(t)
	}
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	var grace <-chan time.Time
	for over := false; ; {
		lines, waiting := s.collect(t)
		signed = t.note
		for _, line := range lines {
			signed += line
		}
		if by, err = s.pub.policy.Cosigned([]byte(signed)); err != nil {
			return "", nil, fmt.Errorf("putting cosignatures together: %w", err)
		}
		if !waiting || over {
			return signed, by, nil
		}
		if _, met := s.pub.policy.Met(by); met && grace == nil {
			grace = time.After(graceForRest)
		}
		select {
		case <-s.signal:
		case <-grace:
			over = true
		case <-deadline.C:
			over = true
		case <-ctx.Done():
			return "", nil, context.Cause(ctx)
		}
	}
}

// collect returns the signatures of a checkpoint so far, and whether it is worth
// waiting for another one.
func (s *cosigners) collect(t candidate) (lines []string, waiting bool) {
	for _, c := range s.all {
		c.mu.Lock()
		if c.status.Size == t.Size {
			lines = append(lines, c.line)
		} else if !c.failed && c.tried != t.Size {
			waiting = true
		}
		c.mu.Unlock()
	}
	return lines, waiting
}

// ahead returns the largest checkpoint of this ledger that a cosigner has shown
// beyond a size.
func (s *cosigners) ahead(size uint64) (who string, c *verifier.Checkpoint) {
	for _, w := range s.all {
		w.mu.Lock()
		if w.ahead != nil && w.ahead.Size > size && (c == nil || w.ahead.Size > c.Size) {
			who, c = w.Name, w.ahead
		}
		w.mu.Unlock()
	}
	return who, c
}

// forked returns a checkpoint under the ledger's own key that is not of its tree.
func (s *cosigners) forked() (who string, c *verifier.Checkpoint) {
	for _, w := range s.all {
		w.mu.Lock()
		if w.forked != nil {
			who, c = w.Name, w.forked
		}
		w.mu.Unlock()
	}
	return who, c
}

// lack notes what the quorum lacks now, "" if nothing, and what follows of it.
func (l *Ledger) lack(missing, what string) {
	before := l.lacking.Load()
	if missing == "" {
		if before != nil {
			l.lacking.Store(nil)
			l.log.Info("the quorum is met again")
		}
		return
	}
	now := &lacking{fmt.Errorf("%w: %s", ErrQuorum, missing), what}
	l.lacking.Store(now)
	if before == nil || before.Error() != now.Error() || before.what != what {
		l.log.Warn("the quorum is missing", zap.String("missing", missing), zap.String("policy", what))
	}
	l.wakeWaiters()
}

// lacking is an unmet quorum, and what the policy does about it.
type lacking struct {
	error
	what string
}

// cosignerStatus adds what is known of cosigners: from this run, and from the
// published checkpoint.
func (l *Ledger) cosignerStatus(s *Status) {
	pub := l.publication.Load()
	if !pub.cosigned() {
		return
	}
	s.Missing, s.Alarms, s.Pending = pub.Missing, l.alarms.Load(), l.waiting.Load()
	s.Cosigners = pub.statuses()
	if all := l.cosigners.Load(); all != nil && all.pub == pub {
		for i, c := range all.all {
			c.mu.Lock()
			s.Cosigners[i] = c.status
			c.mu.Unlock()
		}
	}
	s.Lacking = pub.policy.Missing(nil)
	if p := l.published.Load(); p != nil {
		seenAt, lacks := l.judge(p.Note)
		if s.Lacking = lacks; seenAt > 0 {
			s.SeenAt = inWords(seenAt)
		}
		by, err := pub.policy.Cosigned([]byte(p.Note))
		for i := range s.Cosigners {
			c := &s.Cosigners[i]
			if at, signed := by[c.Name]; err == nil && signed && c.Size < p.Size {
				c.Size, c.At = p.Size, inWords(at)
			}
		}
	}
	if lacking := l.lacking.Load(); lacking != nil {
		s.Lacking = lacking.error.Error()
	}
}

func inWords(seconds uint64) string {
	return time.Unix(int64(seconds), 0).UTC().Format(time.RFC3339)
}

// statuses are those of the policy's cosigners before any was asked.
func (p *Publication) statuses() (all []CosignerStatus) {
	auditors := p.policy.Auditors()
	for _, w := range p.policy.Witnesses {
		role := "witness"
		if slices.Contains(auditors, w.Name) {
			role = "auditor"
		}
		all = append(all, CosignerStatus{Name: w.Name, Role: role, Key: w.Key.String(), URL: w.URL})
	}
	return all
}
