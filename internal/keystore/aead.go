package keystore

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"

	"golang.org/x/crypto/chacha20poly1305"
)

// ErrCannotOpen says that a ciphertext is not for this key, or was altered.
var ErrCannotOpen = errors.New("the key does not open this ciphertext")

const overhead = chacha20poly1305.NonceSizeX + chacha20poly1305.Overhead

func aead(key [32]byte) cipher.AEAD {
	a, err := chacha20poly1305.NewX(key[:])
	if err != nil {
		panic(err) // only for a wrong key length
	}
	return a
}

// seal returns nonce || ciphertext || tag under a fresh random nonce.
func seal(key [32]byte, plain, additional []byte) []byte {
	out := make([]byte, chacha20poly1305.NonceSizeX, overhead+len(plain))
	rand.Read(out)
	return aead(key).Seal(out, out, plain, additional)
}

func open(key [32]byte, sealed, additional []byte) ([]byte, error) {
	if len(sealed) < overhead {
		return nil, ErrCannotOpen
	}
	nonce, box := sealed[:chacha20poly1305.NonceSizeX], sealed[chacha20poly1305.NonceSizeX:]
	plain, err := aead(key).Open(nil, nonce, box, additional)
	if err != nil {
		return nil, ErrCannotOpen
	}
	return plain, nil
}

// random returns n bytes of the system's generator, which cannot fail.
func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func random32() (b [32]byte) {
	rand.Read(b[:])
	return b
}
