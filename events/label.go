package events

import (
	"crypto/sha256"
	"encoding/binary"
)

// Contexts of the VRF inputs behind enrolment and close labels.
const (
	EnrolContext = "sharetrail/v1/enrol"
	CloseContext = "sharetrail/v1/close"
)

// Role says whose sequence of entries a label belongs to.
type Role uint8

// The roles of a party.
const (
	RoleSubject   Role = 1
	RoleRecipient Role = 2
	RoleAuthority Role = 3
	// RoleController is whoever runs the ledger: its one party of this role has the
	// register of statements, taxonomies and profiles.
	RoleController Role = 4
)

// String returns the word used on the command line and in reports.
func (r Role) String() string {
	switch r {
	case RoleSubject:
		return "subject"
	case RoleRecipient:
		return "recipient"
	case RoleAuthority:
		return "authority"
	case RoleController:
		return "controller"
	}
	return "unknown"
}

// ParseRole is the inverse of [Role.String].
func ParseRole(s string) (Role, bool) {
	for r := RoleSubject; r <= RoleController; r++ {
		if r.String() == s {
			return r, true
		}
	}
	return 0, false
}

// EntryLabel is L(h, i): the label of a party's entry number i. Only a holder
// of the handle h can compute or recognise it.
func EntryLabel(handle Hash, i uint64) Hash {
	var b [1 + 32 + 8]byte
	b[0] = tagLabel
	copy(b[1:], handle[:])
	binary.BigEndian.PutUint64(b[33:], i)
	return sha256.Sum256(b[:])
}

// VRFInput is what the ledger's VRF is evaluated on for generation g of a
// party: context, origin, role, identity, generation.
func VRFInput(ctx, origin string, role Role, id Identity, g uint64) []byte {
	b := make([]byte, 0, 1+len(ctx)+1+len(origin)+1+2+len(id)+8)
	b = appendOpaque8(b, []byte(ctx))
	b = appendOpaque8(b, []byte(origin))
	b = append(b, byte(role))
	b = appendOpaque16(b, []byte(id))
	return binary.BigEndian.AppendUint64(b, g)
}

// VRFLabel splits a VRF output (64 bytes) into the label and, for a close
// label, the opening of its slot.
func VRFLabel(output []byte) (label, opening Hash) {
	copy(label[:], output[:32])
	copy(opening[:], output[32:64])
	return label, opening
}
