package events

import "encoding/binary"

// The TLS presentation language (RFC 8446 section 3) in both directions.
// Encoders panic on a length they were promised not to get: callers validate.

func appendOpaque8(b, x []byte) []byte {
	if len(x) > 0xff {
		panic("events: opaque<255> too long")
	}
	return append(append(b, byte(len(x))), x...)
}

func appendOpaque16(b, x []byte) []byte {
	if len(x) > 0xffff {
		panic("events: opaque<65535> too long")
	}
	return append(binary.BigEndian.AppendUint16(b, uint16(len(x))), x...)
}

func appendOpaque24(b, x []byte) []byte {
	if len(x) > 0xffffff {
		panic("events: opaque<16777215> too long")
	}
	return append(append(b, byte(len(x)>>16), byte(len(x)>>8), byte(len(x))), x...)
}

func appendOpaque32(b, x []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(x))), x...)
}

// reader takes values off the front of a byte string. After the first short
// read everything it returns is zero and ok stays false.
type reader struct {
	b  []byte
	ok bool
}

func newReader(b []byte) *reader { return &reader{b: b, ok: true} }

func (r *reader) bytes(n int) []byte {
	if !r.ok || n < 0 || len(r.b) < n {
		r.ok = false
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) uint(width int) uint64 {
	var v uint64
	for _, c := range r.bytes(width) {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.bytes(len(h)))
	return h
}

// opaque reads a length of width bytes and then as many bytes.
func (r *reader) opaque(width int) []byte { return r.bytes(int(r.uint(width))) }

// done reports whether everything was read and nothing is left.
func (r *reader) done() bool { return r.ok && len(r.b) == 0 }
