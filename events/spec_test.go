package events_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// The specification again, in as few lines as it takes and without the package
// under test: SHA-256, lengths in front, deterministic CBOR by hand.

func cat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func sum(parts ...[]byte) []byte {
	h := sha256.Sum256(cat(parts...))
	return h[:]
}

// be is a big-endian integer of n bytes.
func be(n int, v uint64) []byte {
	b := make([]byte, n)
	for i := range b {
		b[n-1-i] = byte(v >> (8 * i))
	}
	return b
}

// opaque puts a length of n bytes in front.
func opaque(n int, b []byte) []byte { return cat(be(n, uint64(len(b))), b) }

func specCommit(ctx string, opening, msg []byte) []byte {
	return sum([]byte{0x10}, opening, opaque(1, []byte(ctx)), opaque(4, msg))
}

func specOpening(seed []byte, x uint64) []byte { return sum([]byte{0x11}, seed, be(2, x)) }

func specLeafHash(entry []byte) []byte { return sum([]byte{0x00}, entry) }

func specNode(left, right []byte) []byte { return sum([]byte{0x01}, left, right) }

// head is the first bytes of a CBOR item (RFC 8949 section 3) in shortest form.
func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return cat([]byte{major<<5 | 24}, be(1, n))
	case n < 1<<16:
		return cat([]byte{major<<5 | 25}, be(2, n))
	case n < 1<<32:
		return cat([]byte{major<<5 | 26}, be(4, n))
	}
	return cat([]byte{major<<5 | 27}, be(8, n))
}

func cUint(n uint64) []byte  { return head(0, n) }
func cBytes(b []byte) []byte { return cat(head(2, uint64(len(b))), b) }
func cText(s string) []byte  { return cat(head(3, uint64(len(s))), []byte(s)) }

func cArray(items ...[]byte) []byte {
	return cat(head(4, uint64(len(items))), cat(items...))
}

// cMap takes keys and values in turn, already in order.
func cMap(items ...[]byte) []byte {
	return cat(head(5, uint64(len(items)/2)), cat(items...))
}

func hx(b []byte) string { return hex.EncodeToString(b) }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

func num(n uint64) string { return strconv.FormatUint(n, 10) }

func unnum(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		panic(err)
	}
	return n
}

// list splits hexadecimal byte strings that stand behind one another.
func list(s string) (all [][]byte) {
	for _, one := range strings.Fields(s) {
		all = append(all, unhex(one))
	}
	return all
}

func hxs(all ...[]byte) string {
	var texts []string
	for _, b := range all {
		texts = append(texts, hx(b))
	}
	return strings.Join(texts, " ")
}

// fill is n bytes that are easy to find in a dump.
func fill(b byte, n int) []byte { return bytes.Repeat([]byte{b}, n) }

// ramp is 32 bytes from, from+1, ...
func ramp(from byte) []byte {
	b := make([]byte, 32)
	for i := range b {
		b[i] = from + byte(i)
	}
	return b
}

func hash(s string) events.Hash { return events.Hash(unhex(s)) }

func hashOf(b []byte) events.Hash { return events.Hash(b) }

// flip returns a copy of b with one bit changed.
func flip(b []byte, bit int) []byte {
	out := bytes.Clone(b)
	out[bit/8] ^= 0x80 >> (bit % 8)
	return out
}
