package actor

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// prefix begins every token, so that people and secret scanners recognise one.
const prefix = "sharetrail_"

const tokenBytes = 32

// newToken returns a token and the hash that is kept of it.
func newToken() (token string, hash [sha256.Size]byte) {
	raw := make([]byte, tokenBytes)
	rand.Read(raw)
	token = prefix + base64.RawURLEncoding.EncodeToString(raw)
	return token, sha256.Sum256([]byte(token))
}

// hashToken returns the hash of what may be a token.
func hashToken(token string) (hash [sha256.Size]byte, ok bool) {
	text, ok := strings.CutPrefix(token, prefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil || len(raw) != tokenBytes {
		return hash, false
	}
	return sha256.Sum256([]byte(token)), true
}
