package events

import "errors"

// SlotKind says what a slot binds to its party.
type SlotKind uint8

// The kinds of slot content.
const (
	SlotEnrol         SlotKind = 1 // a party's generation g begins with this handle
	SlotEntry         SlotKind = 2 // entry number i of a party
	SlotClose         SlotKind = 3 // generation g ends
	SlotSealedSubject SlotKind = 4 // a sealed entry is about this identity
	SlotAlias         SlotKind = 5 // this identity is another name of a primary one
	SlotContinuation  SlotKind = 6 // entry i of a share with more subjects than fit
	SlotUnseal        SlotKind = 7 // entry i: a sealed entry becomes visible
)

// ErrSlot says that some bytes are not the content of a slot.
var ErrSlot = errors.New("malformed slot content")

// SlotContent is what a slot's commitment commits to. Which members are present
// follows from Kind alone; the bytes are a deterministic CBOR map with integer
// keys.
type SlotContent struct {
	Kind        SlotKind `cbor:"0,keyasint"`
	Role        Role     `cbor:"1,keyasint"`
	Number      *uint64  `cbor:"2,keyasint,omitempty"` // counter i, or generation g
	Handle      []byte   `cbor:"3,keyasint,omitempty"`
	ID          []byte   `cbor:"4,keyasint,omitempty"` // identity of the party; the primary one in an alias
	TargetIndex *uint64  `cbor:"5,keyasint,omitempty"`
	TargetLeaf  []byte   `cbor:"6,keyasint,omitempty"`
	TargetSlot  *uint16  `cbor:"7,keyasint,omitempty"`
	Reason      *uint8   `cbor:"8,keyasint,omitempty"` // 1 erased, 2 rotated
	Private     *Private `cbor:"9,keyasint,omitempty"`
}

// Private holds what may describe the subject: it is encrypted under that
// subject's key alone, so that erasing the subject erases it although the
// recipient's key still opens the body.
type Private struct {
	Description  string     `cbor:"description,omitempty" json:"description,omitempty" doc:"what was shared about this person, in words"`
	Reference    string     `cbor:"reference,omitempty" json:"reference,omitempty" doc:"your own reference, such as a case number"`
	Consent      string     `cbor:"consent,omitempty" json:"consent,omitempty" doc:"the person's consent the share rests on"`
	LegalRequest string     `cbor:"legal_request,omitempty" json:"legal_request,omitempty" doc:"the order or request the share answers"`
	Evidence     []Evidence `cbor:"evidence,omitempty" json:"evidence,omitempty" doc:"files kept elsewhere, by their hash"`
}

// Evidence is a file that backs a record and is kept elsewhere.
type Evidence struct {
	SHA256    string `cbor:"sha256" json:"sha256" doc:"64 lower-case hexadecimal digits"`
	Size      uint64 `cbor:"size" json:"size" doc:"bytes"`
	MediaType string `cbor:"media_type" json:"media_type" doc:"such as application/pdf"`
}

// IsZero reports whether nothing is said.
func (p *Private) IsZero() bool {
	return p.Description == "" && p.Reference == "" && p.Consent == "" && p.LegalRequest == "" && len(p.Evidence) == 0
}

// EnrolContent binds a handle to an identity's generation g.
func EnrolContent(role Role, g uint64, handle Hash, id Identity) *SlotContent {
	return &SlotContent{Kind: SlotEnrol, Role: role, Number: &g, Handle: handle[:], ID: []byte(id)}
}

// EntryContent is entry number i of a party. It names the party: the label says
// only whose handle it is, and a ledger could give one handle to two.
func EntryContent(role Role, i uint64, id Identity, private *Private) *SlotContent {
	if private != nil && private.IsZero() {
		private = nil
	}
	return &SlotContent{Kind: SlotEntry, Role: role, Number: &i, ID: []byte(id), Private: private}
}

// Why a generation ends.
const (
	ReasonErased  uint8 = 1 // the person was erased: the key and the handle are gone
	ReasonRotated uint8 = 2 // a copy of the handle left its owner; the next generation has another
)

// CloseContent ends generation g. The slot's opening is the second half of the VRF
// output whose first half is its label, so that whoever may ask about an identity
// can be shown what it says without any key of the person.
func CloseContent(role Role, g uint64, reason uint8) *SlotContent {
	return &SlotContent{Kind: SlotClose, Role: role, Number: &g, Reason: &reason}
}

// AliasContent makes an identity, under whose enrolment label for generation g it
// stands, another name of a primary one.
func AliasContent(role Role, g uint64, primary Identity) *SlotContent {
	return &SlotContent{Kind: SlotAlias, Role: role, Number: &g, ID: []byte(primary)}
}

// AboutContent is [EntryContent] for an entry about an earlier record of the same
// party: the leaf at an index, with its hash.
func AboutContent(role Role, i uint64, id Identity, private *Private, index uint64, leafHash Hash) *SlotContent {
	c := EntryContent(role, i, id, private)
	c.TargetIndex, c.TargetLeaf = &index, leafHash[:]
	return c
}

// ContinuationContent is [EntryContent] for an entry in a continuation of the event
// at an index, its header.
func ContinuationContent(role Role, i uint64, id Identity, private *Private, index uint64, leafHash Hash) *SlotContent {
	c := AboutContent(role, i, id, private, index, leafHash)
	c.Kind = SlotContinuation
	return c
}

// SealedContent binds a sealed event to somebody whom it concerns, from the day on
// which it is recorded.
func SealedContent(role Role, id Identity, private *Private) *SlotContent {
	if private != nil && private.IsZero() {
		private = nil
	}
	return &SlotContent{Kind: SlotSealedSubject, Role: role, ID: []byte(id), Private: private}
}

// BodyAlone stands for the slot in the content of an unseal entry whose party has
// no slot in the sealed event: a recipient's, for one.
const BodyAlone = BodySlot

// UnsealContent is [AboutContent] for an entry that tells a sealed event: the leaf
// under which it was sealed, and the slot there that names the party.
func UnsealContent(role Role, i uint64, id Identity, private *Private, index uint64, leafHash Hash, slot uint16) *SlotContent {
	c := AboutContent(role, i, id, private, index, leafHash)
	c.Kind, c.TargetSlot = SlotUnseal, &slot
	return c
}

// Marshal returns the exact bytes that are committed to.
func (c *SlotContent) Marshal() []byte {
	if !c.valid() {
		panic("events: marshalling invalid slot content")
	}
	return encodeCBOR(c)
}

// ParseSlotContent is the inverse of [SlotContent.Marshal]: exactly the keys of
// its kind, in deterministic CBOR, and nothing else.
func ParseSlotContent(b []byte) (*SlotContent, error) {
	c := new(SlotContent)
	if err := decodeCBOR(b, c); err != nil || !c.valid() {
		return nil, ErrSlot
	}
	return c, nil
}

// slotMember is a bit set of the optional members of a slot's content.
type slotMember uint16

const (
	hasNumber slotMember = 1 << iota
	hasHandle
	hasID
	hasTarget // index and leaf hash, always together
	hasTargetSlot
	hasReason
	hasPrivate
)

// slotMembers lists which members a kind must and may have.
var slotMembers = map[SlotKind]struct{ must, may slotMember }{
	SlotEnrol:         {must: hasNumber | hasHandle | hasID},
	SlotEntry:         {must: hasNumber | hasID, may: hasTarget | hasPrivate},
	SlotClose:         {must: hasNumber | hasReason},
	SlotSealedSubject: {must: hasID, may: hasPrivate},
	SlotAlias:         {must: hasNumber | hasID},
	SlotContinuation:  {must: hasNumber | hasID | hasTarget, may: hasPrivate},
	SlotUnseal:        {must: hasNumber | hasID | hasTarget | hasTargetSlot, may: hasPrivate},
}

func (c *SlotContent) valid() bool {
	if c.Role < RoleSubject || c.Role > RoleController {
		return false
	}
	if (c.TargetIndex == nil) != (c.TargetLeaf == nil) ||
		c.TargetLeaf != nil && len(c.TargetLeaf) != len(Hash{}) ||
		c.Handle != nil && len(c.Handle) != len(Hash{}) ||
		c.ID != nil && (len(c.ID) == 0 || len(c.ID) > maxNamespace+1+maxLocal) ||
		c.Reason != nil && (*c.Reason < 1 || *c.Reason > 2) ||
		c.Private != nil && c.Private.IsZero() {
		return false
	}
	have := c.members()
	want, known := slotMembers[c.Kind]
	return known && have&want.must == want.must && have&^(want.must|want.may) == 0
}

func (c *SlotContent) members() (m slotMember) {
	for _, member := range [...]struct {
		bit     slotMember
		present bool
	}{
		{hasNumber, c.Number != nil}, {hasHandle, c.Handle != nil}, {hasID, c.ID != nil},
		{hasTarget, c.TargetIndex != nil}, {hasTargetSlot, c.TargetSlot != nil},
		{hasReason, c.Reason != nil}, {hasPrivate, c.Private != nil},
	} {
		if member.present {
			m |= member.bit
		}
	}
	return m
}

// Size returns how many bytes p adds to a slot's content.
func (p *Private) Size() int { return len(encodeCBOR(p)) }
