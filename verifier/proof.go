package verifier

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

// ErrProof says that some text is no proof that a leaf is in the log.
var ErrProof = errors.New("malformed or false proof")

// Proof is a c2sp.org/tlog-proof: one leaf, and that it is under a checkpoint.
// The extra line holds the leaf, whose hash is what is proven.
type Proof struct {
	Leaf       []byte
	Index      uint64
	Path       []events.Hash // RFC 6962 audit path, from the leaf up
	Checkpoint string
}

const (
	proofHeader = "c2sp.org/tlog-proof@v1"
	maxPath     = 63
)

// FormatProof is the file's one spelling.
func FormatProof(p *Proof) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nextra %s\nindex %d\n", proofHeader, base64.StdEncoding.EncodeToString(p.Leaf), p.Index)
	for _, h := range p.Path {
		fmt.Fprintln(&b, h)
	}
	b.WriteString("\n" + p.Checkpoint)
	return []byte(b.String())
}

// ParseProof is the inverse of [FormatProof]. It checks nothing but the form.
func ParseProof(b []byte) (*Proof, error) {
	head, checkpoint, found := strings.Cut(string(b), "\n\n")
	lines := strings.Split(head, "\n")
	if !found || len(lines) < 3 || len(lines) > 3+maxPath || lines[0] != proofHeader {
		return nil, ErrProof
	}
	p := &Proof{Checkpoint: checkpoint}
	extra, ok := strings.CutPrefix(lines[1], "extra ")
	index, ok2 := strings.CutPrefix(lines[2], "index ")
	var err, err2 error
	p.Leaf, err = base64.StdEncoding.Strict().DecodeString(extra)
	p.Index, err2 = strconv.ParseUint(index, 10, 62)
	if !ok || !ok2 || err != nil || err2 != nil {
		return nil, ErrProof
	}
	for _, line := range lines[3:] {
		var h events.Hash
		if h.UnmarshalText([]byte(line)) != nil {
			return nil, ErrProof
		}
		p.Path = append(p.Path, h)
	}
	if string(FormatProof(p)) != string(b) {
		return nil, ErrProof
	}
	return p, nil
}

// CheckProof demands that the leaf is in the log of the trust file, under a
// checkpoint of that log's which as many have cosigned as it demands, and returns
// both.
func CheckProof(b []byte, trust *Trust) (*Proof, Checkpoint, error) {
	p, err := ParseProof(b)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	c, err := OpenCheckpoint([]byte(p.Checkpoint), trust.Origin, trust.Log)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	if _, err := events.ParseLeaf(p.Leaf); err != nil || p.Index >= c.Size {
		return nil, Checkpoint{}, ErrProof
	}
	path := make(tlog.RecordProof, len(p.Path))
	for i, h := range p.Path {
		path[i] = tlog.Hash(h)
	}
	leaf := tlog.Hash(events.LeafHash(p.Leaf))
	if err := tlog.CheckRecord(path, int64(c.Size), tlog.Hash(c.Root), int64(p.Index), leaf); err != nil {
		return nil, Checkpoint{}, ErrProof
	}
	if _, err := trust.Seen([]byte(p.Checkpoint)); err != nil {
		return nil, Checkpoint{}, err
	}
	return p, c, nil
}
