package verifier

import (
	"encoding/base64"
	"errors"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// ErrNote says that a signed note is malformed or not signed by the pinned key.
var ErrNote = errors.New("not signed by the pinned key")

// openNote opens a note that carries exactly one signature, by exactly the
// given key, and that is spelled exactly as [note.Sign] spells it (the note
// library itself ignores spare bits of the base64).
func openNote(b []byte, vkey string) (text string, err error) {
	v, err := note.NewVerifier(vkey)
	if err != nil {
		return "", ErrNote
	}
	n, err := note.Open(b, note.VerifierList(v))
	if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return "", ErrNote
	}
	sig, err := base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil {
		return "", ErrNote
	}
	again := n.Text + "\n— " + v.Name() + " " + base64.StdEncoding.EncodeToString(sig) + "\n"
	if again != string(b) {
		return "", ErrNote
	}
	return n.Text, nil
}

// validOrigin reports whether a name can be a note's key name and an origin.
func validOrigin(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsAny(s, " +\n\t\r") && strings.IndexFunc(s, func(r rune) bool {
		return r < 0x20 || r == 0x7f || r > 0x7e
	}) < 0
}
