package keystore

import (
	"crypto/hmac"
	"crypto/sha256"

	"golang.org/x/crypto/chacha20poly1305"
)

// Wrap encrypts under the party's key what is kept of an event outside the stream,
// so that it is gone everywhere, in old pages and in copies too, when the key is. The
// same text in the same place gives the same bytes: rows that are made again are the
// same rows.
func (p *Party) Wrap(plain, place []byte) []byte { return wrapUnder(p.Key, plain, place) }

// Unwrap is the inverse of Wrap.
func (p *Party) Unwrap(wrapped, place []byte) ([]byte, error) {
	return unwrapUnder(p.Key, wrapped, place)
}

// wrapUnder is deterministic: the nonce is a keyed hash of what is wrapped and where.
func wrapUnder(key [32]byte, plain, place []byte) []byte {
	nonceKey := derive(key, "sharetrail/v1/wrap/nonce")
	h := hmac.New(sha256.New, nonceKey[:])
	h.Write([]byte{byte(len(place))})
	h.Write(place)
	h.Write(plain)
	nonce := h.Sum(nil)[:chacha20poly1305.NonceSizeX]
	return aead(derive(key, "sharetrail/v1/wrap/key")).Seal(nonce, nonce, plain, place)
}

func unwrapUnder(key [32]byte, wrapped, place []byte) ([]byte, error) {
	return open(derive(key, "sharetrail/v1/wrap/key"), wrapped, place)
}

// derive returns a key for one purpose.
func derive(key [32]byte, purpose string) [32]byte {
	h := hmac.New(sha256.New, key[:])
	h.Write([]byte(purpose))
	return [32]byte(h.Sum(nil))
}
