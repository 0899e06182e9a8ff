package verifier

import (
	"encoding/base64"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
)

// Path is the hashes of a proof, bottom up. In JSON it is one text: the base64 of
// all hashes behind one another, a tenth shorter than a list of texts and far
// less to parse.
type Path []events.Hash

// maxPathHashes is the deepest a proof of any kind goes.
const maxPathHashes = maxIndexDepth

var errPath = errors.New("malformed path")

// MarshalText implements [encoding.TextMarshaler].
func (p Path) MarshalText() ([]byte, error) {
	raw := make([]byte, 0, len(p)*len(events.Hash{}))
	for _, h := range p {
		raw = append(raw, h[:]...)
	}
	return base64.StdEncoding.AppendEncode(nil, raw), nil
}

// UnmarshalText is the inverse of [Path.MarshalText].
func (p *Path) UnmarshalText(text []byte) error {
	const size = len(events.Hash{})
	if len(text) > base64.StdEncoding.EncodedLen(maxPathHashes*size) {
		return errPath
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(make([]byte, 0, len(text)), text)
	// The decoder skips line breaks; text of another length is not what Marshal gives.
	if err != nil || len(raw)%size != 0 || base64.StdEncoding.EncodedLen(len(raw)) != len(text) {
		return errPath
	}
	*p = make(Path, len(raw)/size)
	for i := range *p {
		(*p)[i] = events.Hash(raw[i*size:])
	}
	return nil
}

// tlog is the path as package tlog takes it.
func (p Path) tlog() []tlog.Hash {
	out := make([]tlog.Hash, len(p))
	for i, h := range p {
		out[i] = tlog.Hash(h)
	}
	return out
}
