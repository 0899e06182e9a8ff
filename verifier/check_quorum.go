package verifier

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// CheckQuorum is the check that fails when those whom the reader pinned did not
// sign, perhaps yet.
const CheckQuorum = "cosignatures"

// CheckAge is the check of [Verdict.CheckAge].
const CheckAge = "age"

// checkQuorum demands the cosignatures of the trust file's policy, and that the
// state is not dated after them: what was seen at one time cannot have been made
// later. A grain is allowed, and the part of a second that cosignatures leave out.
func (p *part) checkQuorum() error {
	name := CheckQuorum + p.in
	policy := p.trust.policy()
	by, at, err := policy.seen(name, []byte(p.e.Checkpoint))
	switch {
	case err != nil:
		return err
	case policy.Quorum == quorumNone:
		p.verdict.Witnessed, p.verdict.Audited = false, false
		return nil
	case p.stateTime > at*1000+999+p.rules.GrainMS:
		return refute(name, "the state is dated %s, after those who had seen it signed at %s", minute(p.stateTime), second(at))
	}
	p.verdict.Witnessed = p.verdict.Witnessed && policy.PinsWitness()
	p.verdict.Audited = p.verdict.Audited && policy.PinsAuditor()
	if p.last() {
		p.verdict.SeenAt = at
	}
	var names []string
	auditors := policy.Auditors()
	for _, w := range policy.Witnesses {
		if t, signed := by[w.Name]; signed {
			what := "witness"
			if slices.Contains(auditors, w.Name) {
				what = "auditor"
			}
			names = append(names, fmt.Sprintf("%s %s at %s", what, Plain(w.Key.Name()), second(t)))
		}
	}
	p.pass(name, "as many as the trust file demands: %s", strings.Join(names, ", "))
	return nil
}

// Seen demands the cosignatures of the trust file's policy on a checkpoint note,
// and returns since when the quorum had seen it and nothing newer, in POSIX
// seconds; 0 without a quorum. It does not check the log's own signature.
func (t *Trust) Seen(checkpoint []byte) (at uint64, err error) {
	_, at, err = t.policy().seen(CheckQuorum, checkpoint)
	return at, err
}

func (p *Policy) seen(check string, checkpoint []byte) (by Cosigned, at uint64, err error) {
	if by, err = p.Cosigned(checkpoint); err != nil {
		return nil, 0, refute(check, "one that the trust file names is not valid: it was altered, or made for another checkpoint")
	}
	at, met := p.Met(by)
	if !met {
		return nil, 0, refute(check, "the checkpoint lacks what the trust file demands: %s", p.Missing(by))
	}
	return by, at, nil
}

func second(s uint64) string {
	return time.Unix(int64(s), 0).UTC().Format("2006-01-02 15:04:05 UTC")
}

// maxAhead is how far a cosigner's clock may be ahead of the reader's.
const maxAhead = 10 * time.Minute

// CheckAge refuses a report that is older than the reader will have. Its age
// counts from when its cosigners had seen nothing newer; without cosigners, from
// the ledger's own date.
func (v *Verdict) CheckAge(now time.Time, limit time.Duration) error {
	at, whose := time.UnixMilli(int64(v.StateTimeMS)), "the ledger's own date"
	if v.SeenAt > 0 {
		at, whose = time.Unix(int64(v.SeenAt), 0), "its cosignatures"
	}
	switch age := now.Sub(at); {
	case age > limit:
		return refute(CheckAge, "by %s the report is %s old, and you take none older than %s; have a new one written", whose, age.Truncate(time.Second), limit)
	case age < -maxAhead:
		return refute(CheckAge, "by %s it is of %s, which your clock has not reached; check your clock", whose, at.UTC().Format("2006-01-02 15:04 UTC"))
	}
	return nil
}
