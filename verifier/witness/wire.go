// Package witness is c2sp.org/tlog-witness: how a log asks somebody to vouch that
// it has only grown. [Server] vouches, [Client] asks.
//
// A witness keeps one checkpoint for each log. What always holds: it never signs
// two histories of a log, because it compares with what it signed last, stores,
// and only then answers, one request at a time; and what it signed survives a
// crash. An index auditor is a witness that also replays the log before it signs
// (Config.Before).
//
// This is the one part of the verifier that reaches a network. Nothing that checks
// a report or a receipt imports it.
package witness

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

const (
	maxBody  = 16 << 10 // of a request, and of an answer
	maxProof = 63       // hashes
	// sizeType is the content type of a refusal that says which size was signed last.
	sizeType = "text/x.tlog.size"
)

// ErrRequest says that some bytes are no request of add-checkpoint.
var ErrRequest = errors.New("malformed request")

// Request is the body of add-checkpoint: a checkpoint, and the proof that it
// continues the one of size Old.
type Request struct {
	Old        uint64
	Proof      []events.Hash
	Checkpoint string // a signed note
}

// Format is the request's one spelling.
func (r *Request) Format() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "old %d\n", r.Old)
	for _, h := range r.Proof {
		fmt.Fprintln(&b, h)
	}
	b.WriteString("\n" + r.Checkpoint)
	return []byte(b.String())
}

// ParseRequest is the inverse of [Request.Format]. It checks nothing but the form,
// and not that of the checkpoint.
func ParseRequest(b []byte) (*Request, error) {
	if len(b) > maxBody {
		return nil, ErrRequest
	}
	head, checkpoint, found := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) > 1+maxProof {
		return nil, ErrRequest
	}
	old, ok := strings.CutPrefix(lines[0], "old ")
	r := &Request{Checkpoint: checkpoint}
	var err error
	if r.Old, err = parseSize(old); !ok || err != nil {
		return nil, ErrRequest
	}
	for _, line := range lines[1:] {
		var h events.Hash
		if h.UnmarshalText([]byte(line)) != nil {
			return nil, ErrRequest
		}
		r.Proof = append(r.Proof, h)
	}
	return r, nil
}

// parseSize reads a decimal without leading zeros, below 2^62 as checkpoints have.
func parseSize(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0, ErrRequest
	}
	return n, nil
}

// CheckConsistency demands that a tree continues another one.
func CheckConsistency(proof []events.Hash, oldSize uint64, oldRoot events.Hash, newer verifier.Checkpoint) error {
	empty := events.Hash(sha256.Sum256(nil))
	switch {
	case newer.Size == 0 && newer.Root != empty, oldSize == 0 && len(proof) > 0, oldSize > newer.Size:
		return errInconsistent
	case oldSize == 0:
		return nil
	case oldSize == newer.Size:
		if len(proof) > 0 || oldRoot != newer.Root {
			return errInconsistent
		}
		return nil
	}
	p := make(tlog.TreeProof, len(proof))
	for i, h := range proof {
		p[i] = tlog.Hash(h)
	}
	if tlog.CheckTree(p, int64(newer.Size), tlog.Hash(newer.Root), int64(oldSize), tlog.Hash(oldRoot)) != nil {
		return errInconsistent
	}
	return nil
}

var errInconsistent = errors.New("the checkpoint does not continue the older one")

// originHash is a log's name in addresses.
func originHash(origin string) string {
	sum := sha256.Sum256([]byte(origin))
	return hex.EncodeToString(sum[:])
}
