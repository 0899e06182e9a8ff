package verifier

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// ErrCosigner says that some text is not the key of a cosigner.
var ErrCosigner = errors.New("not the key of a cosigner (c2sp.org/tlog-cosignature, Ed25519)")

const cosignatureHeader = "cosignature/v1\n"

// MaxCosignatureTime is the last second of the year 9999, beyond which no date
// can be shown.
const MaxCosignatureTime = events.MaxTimeMS / 1000

// Cosigner is the public key of somebody who vouches for checkpoints: a witness,
// who has seen the log only grow, or an index auditor, who has replayed it too.
type Cosigner struct {
	name   string
	id     uint32
	public ed25519.PublicKey
}

// ParseCosigner reads a vkey of signature type 0x04, in its one spelling.
func ParseCosigner(vkey string) (*Cosigner, error) {
	name, id, raw, err := splitKey(vkey)
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != typeCosignature {
		return nil, ErrCosigner
	}
	c := newCosigner(name, raw[1:])
	if c.id != id {
		return nil, ErrCosigner
	}
	return c, nil
}

func newCosigner(name string, public ed25519.PublicKey) *Cosigner {
	return &Cosigner{name, keyID(name, typeCosignature, public), public}
}

// splitKey takes a key apart that is written name+id+base64.
func splitKey(key string) (name string, id uint32, raw []byte, err error) {
	parts := strings.SplitN(key, "+", 3)
	if len(parts) != 3 || !validOrigin(parts[0]) {
		return "", 0, nil, ErrCosigner
	}
	if _, err := fmt.Sscanf(parts[1], "%08x", &id); err != nil {
		return "", 0, nil, ErrCosigner
	}
	raw, err = base64.StdEncoding.Strict().DecodeString(parts[2])
	if err != nil || joinKey(parts[0], id, raw) != key {
		return "", 0, nil, ErrCosigner
	}
	return parts[0], id, raw, nil
}

func joinKey(name string, id uint32, raw []byte) string {
	return fmt.Sprintf("%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(raw))
}

// Name is the key's name in signature lines.
func (c *Cosigner) Name() string { return c.name }

// String is the vkey.
func (c *Cosigner) String() string {
	return joinKey(c.name, c.id, append([]byte{typeCosignature}, c.public...))
}

// cosignedMessage is what a cosigner signs.
func cosignedMessage(text string, at uint64) []byte {
	return fmt.Appendf(nil, "%stime %d\n%s", cosignatureHeader, at, text)
}

// verify returns the time of a cosignature on a note's text.
func (c *Cosigner) verify(text string, sig []byte) (at uint64, ok bool) {
	if len(sig) != 8+ed25519.SignatureSize {
		return 0, false
	}
	at = binary.BigEndian.Uint64(sig)
	if at == 0 || at > MaxCosignatureTime {
		return 0, false
	}
	return at, ed25519.Verify(c.public, cosignedMessage(text, at), sig[8:])
}

// find returns the time of this cosigner's signature among the lines. Without one
// found is false; one that is wrong is an error: it was altered.
func (c *Cosigner) find(text string, lines []signatureLine) (at uint64, found bool, err error) {
	for _, s := range lines {
		if s.name != c.name || s.id != c.id {
			continue
		}
		at, ok := c.verify(text, s.bytes)
		if !ok {
			return 0, false, ErrNote
		}
		return at, true, nil
	}
	return 0, false, nil
}

// Take finds this cosigner's line in what a cosigner answered about a checkpoint,
// and ignores the lines of other keys. It returns the line and its time.
func (c *Cosigner) Take(checkpoint, answer string) (line string, at time.Time, err error) {
	text, _, err := splitNote([]byte(checkpoint))
	if err != nil {
		return "", time.Time{}, err
	}
	lines, err := parseSignatures(answer)
	if err != nil {
		return "", time.Time{}, err
	}
	seconds, found, err := c.find(text, lines)
	if err != nil || !found {
		return "", time.Time{}, ErrNote
	}
	for _, s := range lines {
		if s.name == c.name && s.id == c.id {
			line = s.String()
		}
	}
	return line, time.Unix(int64(seconds), 0).UTC(), nil
}

// CosignerKey signs as a cosigner.
type CosignerKey struct {
	*Cosigner
	private ed25519.PrivateKey
}

const privatePrefix = "PRIVATE+KEY+"

// NewCosignerKey makes a key out of 32 random bytes. One key is for one cosigner:
// the signed bytes do not name who signs.
func NewCosignerKey(name string, seed [ed25519.SeedSize]byte) (*CosignerKey, error) {
	if !validOrigin(name) {
		return nil, ErrCosigner
	}
	private := ed25519.NewKeyFromSeed(seed[:])
	return &CosignerKey{newCosigner(name, private.Public().(ed25519.PublicKey)), private}, nil
}

// ParseCosignerKey is the inverse of [CosignerKey.Private].
func ParseCosignerKey(text string) (*CosignerKey, error) {
	rest, ok := strings.CutPrefix(text, privatePrefix)
	name, id, raw, err := splitKey(rest)
	if !ok || err != nil || len(raw) != 1+ed25519.SeedSize || raw[0] != typeCosignature {
		return nil, ErrCosigner
	}
	k, err := NewCosignerKey(name, [ed25519.SeedSize]byte(raw[1:]))
	if err != nil || k.id != id {
		return nil, ErrCosigner
	}
	return k, nil
}

// Private is the key to be kept secret, in the spelling of signed notes.
func (k *CosignerKey) Private() string {
	return privatePrefix + joinKey(k.name, k.id, append([]byte{typeCosignature}, k.private.Seed()...))
}

// Cosign returns the signature line for a checkpoint's text.
func (k *CosignerKey) Cosign(c Checkpoint, at time.Time) (string, error) {
	seconds := at.Unix()
	if seconds <= 0 || seconds > MaxCosignatureTime {
		return "", fmt.Errorf("cosigning: the clock says %s; set it right", at.UTC().Format(time.RFC3339))
	}
	sig := binary.BigEndian.AppendUint64(nil, uint64(seconds))
	sig = append(sig, ed25519.Sign(k.private, cosignedMessage(c.Format(), uint64(seconds)))...)
	return signatureLine{k.name, k.id, sig}.String(), nil
}
