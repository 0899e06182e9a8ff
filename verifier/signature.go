package verifier

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// Signature types of c2sp.org/signed-note that stand in a checkpoint of ours.
const (
	typeEd25519     = 1
	typeCosignature = 4
)

// maxSignatures bounds the lines of a note.
const maxSignatures = 100

const signatureStart = "— " // U+2014 and a space

// signatureLine is one signature of a note, whoever made it.
type signatureLine struct {
	name  string
	id    uint32
	bytes []byte // the signature without the key id
}

// String is the line's one spelling.
func (s signatureLine) String() string {
	b := append(binary.BigEndian.AppendUint32(nil, s.id), s.bytes...)
	return signatureStart + s.name + " " + base64.StdEncoding.EncodeToString(b) + "\n"
}

// keyID is the id of a key under a name, as c2sp.org/signed-note computes it.
func keyID(name string, kind byte, public []byte) uint32 {
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write([]byte{kind})
	h.Write(public)
	return binary.BigEndian.Uint32(h.Sum(nil))
}

// splitNote separates a note's text from its signatures and checks none of them.
// The note must be spelled as it would be written again, and no key may stand in
// it twice: a line that is ignored cannot hide another spelling either.
func splitNote(b []byte) (text string, lines []signatureLine, err error) {
	at := bytes.LastIndex(b, []byte("\n\n"+signatureStart))
	if at < 0 {
		return "", nil, ErrNote
	}
	text, rest := string(b[:at+1]), string(b[at+2:])
	lines, err = parseSignatures(rest)
	return text, lines, err
}

// parseSignatures reads one or more signature lines.
func parseSignatures(rest string) (lines []signatureLine, err error) {
	type key struct {
		name string
		id   uint32
	}
	seen := map[key]bool{}
	for rest != "" {
		line, after, found := strings.Cut(rest, "\n")
		if !found || len(lines) == maxSignatures {
			return nil, ErrNote
		}
		rest = after
		name, encoded, ok := strings.Cut(strings.TrimPrefix(line, signatureStart), " ")
		raw, err := base64.StdEncoding.Strict().DecodeString(encoded)
		if !ok || err != nil || len(raw) < 5 || !validOrigin(name) {
			return nil, ErrNote
		}
		s := signatureLine{name, binary.BigEndian.Uint32(raw), raw[4:]}
		if s.String() != line+"\n" || seen[key{name, s.id}] {
			return nil, ErrNote
		}
		seen[key{name, s.id}] = true
		lines = append(lines, s)
	}
	if len(lines) == 0 {
		return nil, ErrNote
	}
	return lines, nil
}

// signedBy demands the signature of a key among the lines.
func signedBy(text string, lines []signatureLine, vkey string) error {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return ErrNote
	}
	for _, s := range lines {
		if s.name == v.Name() && s.id == v.KeyHash() && v.Verify([]byte(text), s.bytes) {
			return nil
		}
	}
	return ErrNote
}

// SignedBy is a note with the signature of one key alone, which must be on it.
func SignedBy(b []byte, vkey string) (string, error) {
	text, lines, err := splitNote(b)
	if err != nil {
		return "", err
	}
	for _, s := range lines {
		if signedBy(text, []signatureLine{s}, vkey) == nil {
			return text + "\n" + s.String(), nil
		}
	}
	return "", ErrNote
}

// PeekOrigin returns the first line of a note's text, which in a checkpoint is
// the origin. It checks nothing.
func PeekOrigin(b []byte) string {
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}
