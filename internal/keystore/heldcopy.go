package keystore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/sharetrail/sharetrail/events"
)

// Held is what opens one entry of somebody without their key: what their slot says,
// and what opens the event. It is kept where a hold outlives the key.
type Held struct {
	Index   uint64      `json:"index"`
	Slot    uint16      `json:"slot"`
	Opening events.Hash `json:"opening"` // of the slot's commitment
	Content []byte      `json:"content"` // of the slot
	Secrets []byte      `json:"secrets"` // of the envelope: seed and data key of the event, and of its target
}

// HeldChunk is how many entries stand in one row at most.
const HeldChunk = 1000

// Hold copies what a party's key opens of a slot, after all of it reproduced the
// commitments of the leaf.
func (s *Sealed) Hold(slot uint16, key [32]byte) (Held, error) {
	opened, err := s.Open(slot, key)
	if err != nil {
		return Held{}, err
	}
	secrets, err := open(key, s.Stored.Slots[slot].Envelope, events.AdditionalData(s.Origin, s.ID, slot, events.PurposeEnvelope))
	if err != nil {
		return Held{}, fmt.Errorf("opening slot %d of event %d: %w", slot, s.Revision, err)
	}
	return Held{Index: s.Revision, Slot: slot, Opening: opened.SlotOpening, Content: opened.Slot, Secrets: secrets}, nil
}

// OpenHeld opens an entry with a copy of what its owner's key opened. It succeeds only
// if everything reproduces the commitments of the leaf.
func (s *Sealed) OpenHeld(h Held) (*Opened, error) {
	fail := func(err error) (*Opened, error) {
		return nil, fmt.Errorf("opening what is held of event %d: %w", s.Revision, err)
	}
	if h.Index != s.Revision || int(h.Slot) >= len(s.Leaf.Slots) || len(h.Secrets) != 128 {
		return fail(ErrCannotOpen)
	}
	if events.CommitSlot(h.Opening, h.Content) != s.Leaf.Slots[h.Slot].Commit {
		return fail(fmt.Errorf("it does not match the leaf's commitment: %w", ErrCannotOpen))
	}
	content, err := events.ParseSlotContent(h.Content)
	if err != nil {
		return fail(err)
	}
	o := &Opened{SlotOpening: h.Opening, Slot: h.Content, Content: content, Seed: events.Hash(h.Secrets[:32]), DataKey: [32]byte(h.Secrets[32:64]),
		Target: EventSecrets{events.Hash(h.Secrets[64:96]), [32]byte(h.Secrets[96:])}}
	if err := (&Opener{Sealed: s}).openBody(0, [32]byte{}, o); err != nil {
		return fail(err)
	}
	return o, nil
}

// HoldsOn returns the keys of the holds that are on a person under any of the names.
func (s *Store) HoldsOn(ctx context.Context, role events.Role, names ...events.Identity) (keys []HoldKey, err error) {
	seen := map[int64]bool{}
	for _, id := range names {
		rows, err := s.holds.Read.QueryContext(ctx,
			"SELECT id, lookup, key FROM hold WHERE NOT released AND id IN (SELECT hold FROM person WHERE lookup = ?) ORDER BY id", s.heldLookup(role, id))
		if err != nil {
			return nil, fmt.Errorf("reading holds: %w", err)
		}
		for rows.Next() {
			k, _, err := s.scanHold(rows)
			if err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if !seen[k.id] {
				seen[k.id], keys = true, append(keys, k)
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("reading holds: %w", err)
		}
	}
	return keys, nil
}

// place names a row of held entries, to the hold's key only.
func (k *HoldKey) place(enrolment events.Hash, chunk int) []byte {
	what := append([]byte("held\x00"), enrolment[:]...)
	sum := derive(k.Key, string(binary.BigEndian.AppendUint64(what, uint64(chunk))))
	return sum[:]
}

// HeldIn returns how many entries are kept in a chunk of somebody's entries. Whose
// they are says the label of their enrolment.
func (s *Store) HeldIn(ctx context.Context, k HoldKey, enrolment events.Hash, chunk int) (int, error) {
	place := k.place(enrolment, chunk)
	var wrapped []byte
	err := s.holds.Read.QueryRowContext(ctx, "SELECT entries FROM held WHERE lookup = ?", place).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("reading what is held: %w", err)
	}
	entries, err := k.unwrap(wrapped, place)
	return len(entries), err
}

// Keep keeps a chunk of somebody's entries under a hold, in the place of what there
// was of it, and the journal remembers which bytes they are. When it returns it is
// durable.
func (s *Store) Keep(ctx context.Context, k HoldKey, enrolment events.Hash, chunk int, entries []Held) error {
	text, err := json.Marshal(entries)
	if err != nil {
		return fmt.Errorf("keeping entries: %w", err)
	}
	place := k.place(enrolment, chunk)
	padded := events.PadTo(text, events.PaddedSize(len(text))) // how many they are shows no finer than that
	wrapped := wrapUnder(k.Key, padded, place)
	return s.inHolds(ctx, "keeping entries", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO held (hold, lookup, entries) SELECT id, ?2, ?3 FROM hold WHERE id = ?1 AND NOT released
			ON CONFLICT (lookup) DO UPDATE SET entries = excluded.entries`, k.id, place, wrapped)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n != 1 {
			return errors.Join(err, ErrHolds)
		}
		_, err = s.addStep(ctx, tx, journalStep{HoldStep: HoldStep{Kind: holdKept}, Hold: k.matter, Place: place, Row: sha256.Sum256(wrapped)})
		return err
	})
}

// Kept returns what is kept under a matter's hold, in the order in which it was put
// there; nothing if the hold is released.
func (s *Store) Kept(ctx context.Context, matter string) (all []Held, err error) {
	k, found, err := s.holdKey(ctx, s.holds.Read, matter)
	if err != nil || !found {
		return nil, err
	}
	for row, err := range s.heldRows(ctx, k) {
		if err != nil {
			return nil, err
		}
		all = append(all, row.entries...)
	}
	return all, nil
}

// heldRow is a row of what is held, opened.
type heldRow struct {
	place   []byte
	sum     events.Hash // SHA-256 of the entries as they are stored
	entries []Held
}

// heldRows opens what is kept under a hold, in the order in which it was put there.
func (s *Store) heldRows(ctx context.Context, k HoldKey) iter.Seq2[heldRow, error] {
	return func(yield func(heldRow, error) bool) {
		rows, err := s.holds.Read.QueryContext(ctx, "SELECT lookup, entries FROM held WHERE hold = ? ORDER BY id", k.id)
		if err != nil {
			yield(heldRow{}, fmt.Errorf("reading what is held: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var place, wrapped []byte
			if err := rows.Scan(&place, &wrapped); err != nil {
				yield(heldRow{}, fmt.Errorf("reading what is held: %w", err))
				return
			}
			entries, err := k.unwrap(wrapped, place)
			if !yield(heldRow{place, sha256.Sum256(wrapped), entries}, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(heldRow{}, fmt.Errorf("reading what is held: %w", err))
		}
	}
}

func (k *HoldKey) unwrap(wrapped, place []byte) (entries []Held, err error) {
	plain, err := unwrapUnder(k.Key, wrapped, place)
	if err == nil {
		plain, err = events.Unpad(plain)
	}
	if err == nil {
		err = json.Unmarshal(plain, &entries)
	}
	if err != nil {
		return nil, fmt.Errorf("opening what is held: %w", err)
	}
	return entries, nil
}
