package projections

import (
	"context"
	"encoding/binary"
	"errors"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
)

// ErrShredded says that a stored report cannot be read any more: somebody it was
// about was erased, or was nobody and the process that wrote it has ended.
var ErrShredded = errors.New("the key of the stored report is gone")

// WrapReport encrypts a report that is to be stored, under the keys of all whom it
// was asked about, one over the other, so that erasing any of them shreds every copy
// of it. A report about somebody who has no key names them all the same: it is kept
// for as long as this process lives.
func (m *ReadModel) WrapReport(ctx context.Context, role events.Role, ids []events.Identity, plain, place []byte) ([]byte, error) {
	for _, id := range ids {
		generations, err := m.keys.Generations(ctx, role, id)
		if err != nil {
			return nil, err
		}
		p := &m.nobody
		if len(generations) > 0 {
			p = &generations[len(generations)-1]
		}
		plain = append(binary.BigEndian.AppendUint64(nil, uint64(p.ID)), p.Wrap(plain, place)...)
	}
	return append([]byte{byte(len(ids))}, plain...), nil
}

// UnwrapReport is the inverse of WrapReport, or ErrShredded.
func (m *ReadModel) UnwrapReport(ctx context.Context, wrapped, place []byte) ([]byte, error) {
	if len(wrapped) == 0 {
		return nil, ErrShredded
	}
	n, wrapped := int(wrapped[0]), wrapped[1:]
	for range n {
		if len(wrapped) < 8 {
			return nil, ErrShredded
		}
		p := m.nobody
		if id := PartyID(binary.BigEndian.Uint64(wrapped)); id != 0 {
			var err error
			p, err = m.keys.ByID(ctx, id)
			if errors.Is(err, keystore.ErrDestroyed) || errors.Is(err, keystore.ErrNoParty) {
				return nil, ErrShredded
			}
			if err != nil {
				return nil, err
			}
		}
		var err error
		if wrapped, err = p.Unwrap(wrapped[8:], place); err != nil {
			return nil, ErrShredded
		}
	}
	return wrapped, nil
}
