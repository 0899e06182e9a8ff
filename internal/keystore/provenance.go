package keystore

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"

	"github.com/sharetrail/sharetrail/events"
)

// Provenance is the metadata of an event of ours: only a holder of the ledger's
// secret can make it, and it holds for one revision only.
func (s *Secrets) Provenance(revision uint64, id events.ID, typ string, data []byte) []byte {
	mac, ok := s.macs.Get().(hash.Hash)
	if !ok {
		mac = hmac.New(sha256.New, s.Ledger[:])
	}
	defer s.macs.Put(mac)
	mac.Reset()
	mac.Write(events.ProvenanceHead(revision, id, typ))
	mac.Write(data)
	return mac.Sum(nil)
}

// Ours reports whether the ledger appended an event at its revision. Any other
// event in the ledger's stream is foreign: logged, alarmed, never believed.
func (s *Secrets) Ours(e events.Recorded) bool {
	return len(e.Type) > 0 && len(e.Type) < 256 &&
		hmac.Equal(e.Metadata, s.Provenance(e.Revision, e.ID, e.Type, e.Data))
}
