package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
)

// ErrTrust says that a trust file cannot be used.
var ErrTrust = errors.New("malformed trust file")

// Trust is what a reader pins out of band: the keys of one ledger, its first
// leaf, and the policy on who must have cosigned.
type Trust struct {
	Suite   int         `json:"suite"`
	Origin  string      `json:"origin"`
	Log     string      `json:"log"`    // vkey that signs checkpoints
	Policy  string      `json:"policy"` // c2sp.org/tlog-policy
	VRF     events.Hash `json:"vrf"`
	Genesis events.Hash `json:"genesis"` // leaf hash of leaf 0
	Report  string      `json:"report"`  // vkey that signs reports
	// Predecessors are the canonical trust files of the ledgers that this one
	// continues, the oldest first, each with no predecessors of its own: the list
	// says them.
	Predecessors []string `json:"predecessors"`
}

// NoQuorum is the policy of a ledger that nobody else watches yet.
func NoQuorum(logVerifier string) string { return "log " + logVerifier + "\nquorum none\n" }

// Canonical returns the one spelling that is compared and fingerprinted.
func (t *Trust) Canonical() []byte {
	b, err := events.MarshalJSON(t)
	if err != nil {
		panic(err) // no member of a Trust can fail to marshal
	}
	return b
}

// Marshal returns the trust file as it is handed out: the canonical members,
// indented for people.
func (t *Trust) Marshal() []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, t.Canonical(), "", "  "); err != nil {
		panic(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// Fingerprint is printed on letters: the SHA-256 of the canonical form, in
// groups of four hexadecimal digits.
func (t *Trust) Fingerprint() string {
	sum := sha256.Sum256(t.Canonical())
	digits := hex.EncodeToString(sum[:])
	var groups []string
	for ; digits != ""; digits = digits[4:] {
		groups = append(groups, digits[:4])
	}
	return strings.Join(groups, " ")
}

// ParseTrust reads a trust file. White space is free; everything else must be
// exactly as [Trust.Marshal] writes it. A policy this program cannot check is
// refused rather than ignored.
func ParseTrust(b []byte) (*Trust, error) {
	var compact bytes.Buffer
	if json.Compact(&compact, b) != nil {
		return nil, ErrTrust
	}
	t := new(Trust)
	if events.UnmarshalJSON(compact.Bytes(), t) != nil {
		return nil, ErrTrust
	}
	logName, logKey, err := parseKey(t.Log)
	if err != nil || logName != t.Origin {
		return nil, ErrTrust
	}
	_, reportKey, err := parseKey(t.Report)
	if err != nil || reportKey == logKey {
		return nil, ErrTrust
	}
	if t.Suite != 1 || !validVRFKey(t.VRF) || t.Genesis.IsZero() ||
		t.Predecessors == nil || len(t.Predecessors) > maxPredecessors {
		return nil, ErrTrust
	}
	// A policy has one spelling too. It names this log alone, and nobody as a cosigner
	// who signs for the ledger.
	policy, err := ParsePolicy(t.Policy)
	if err != nil || policy.String() != t.Policy || len(policy.Logs) != 1 || policy.Logs[0].Key != t.Log || policy.cosignedBy(publicKey(reportKey)) {
		return nil, ErrTrust
	}
	origins := []string{t.Origin}
	for _, text := range t.Predecessors {
		before, err := ParseTrust([]byte(text))
		if err != nil || len(before.Predecessors) > 0 || string(before.Canonical()) != text || slices.Contains(origins, before.Origin) {
			return nil, ErrTrust
		}
		origins = append(origins, before.Origin)
	}
	return t, nil
}

// policy is that of a trust file that [ParseTrust] took, or of one made here.
func (t *Trust) policy() *Policy {
	p, err := ParsePolicy(t.Policy)
	if err != nil {
		return &Policy{Quorum: "a policy that cannot be read"} // which nobody meets
	}
	return p
}

// publicKey is the key in the last part of a vkey, without its type.
func publicKey(encoded string) []byte {
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(raw) == 0 {
		return nil
	}
	return raw[1:]
}

// maxPredecessors bounds how many ledgers one continues: two lifetimes of yearly
// ones.
const maxPredecessors = 200

// Ledgers returns what is pinned of each ledger of the chain, the oldest first;
// the last is t itself. t must be one that [ParseTrust] accepts.
func (t *Trust) Ledgers() []*Trust {
	var all []*Trust
	for _, text := range t.Predecessors {
		before := new(Trust)
		if err := json.Unmarshal([]byte(text), before); err != nil {
			panic(err) // ParseTrust has parsed it
		}
		all = append(all, before)
	}
	return append(all, t)
}

// Succeed returns the list of predecessors of the ledger that continues t's.
func (t *Trust) Succeed() []string {
	alone := *t
	alone.Predecessors = []string{}
	return append(slices.Clone(t.Predecessors), string(alone.Canonical()))
}

// parseKey reads a vkey, in its one spelling: the note library takes digits of
// either case and line breaks in the base64, and each would give the same keys
// another fingerprint.
func parseKey(vkey string) (name, key string, err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil || !validOrigin(v.Name()) {
		return "", "", ErrTrust
	}
	key = vkey[len(v.Name())+len("+00000000+"):]
	raw, err := base64.StdEncoding.Strict().DecodeString(key)
	if err != nil || fmt.Sprintf("%s+%08x+%s", v.Name(), v.KeyHash(), base64.StdEncoding.EncodeToString(raw)) != vkey {
		return "", "", ErrTrust
	}
	return v.Name(), key, nil
}
