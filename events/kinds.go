package events

import (
	"maps"
	"slices"
)

// kind is what the vocabulary says of one event type.
type kind struct {
	make func() Event
	// fields fixes the number of each field group for ever: the number is the
	// position. Only ever append, and only groups that may be absent: an event
	// written before has none, and none must mean what it meant then. A group never
	// gets a new member, a type never a new meaning (docs/formats.md section 9).
	fields []string
	// labels are the roles that have an entry, or an enrolment, in the event.
	labels []Role
	// about lists the types of the records that the event is about, as the slot of
	// whoever has an entry in that record says. None: it is about no other record.
	about []string
}

// The roles whose labels an event carries.
var (
	everybody     = []Role{RoleSubject, RoleRecipient, RoleController, RoleAuthority}
	bothSides     = []Role{RoleSubject, RoleRecipient}
	subjectOnly   = []Role{RoleSubject}
	recipientOnly = []Role{RoleRecipient}
	ledgerOnly    = []Role{RoleController}
	authorityOnly = []Role{RoleAuthority}
)

// shareFields are the field groups of a share; types that are like one change a
// group or two.
var shareFields = []string{
	"occurred", "reasons", "purposes", "legal_bases", "recipient", "data", "context", "promise",
	"transfer", "cpra", "links", "conveyance", "provenance", "research", "policy", "extent",
}

// sharesWith returns the field groups of a share with others in the place of some.
func sharesWith(other map[string]string) []string {
	names := slices.Clone(shareFields)
	for i, name := range names {
		if with, ok := other[name]; ok {
			names[i] = with
		}
	}
	return names
}

// sharelike are the types that hold a share of their own: they can be retracted,
// disputed and acknowledged. Only shares of one occasion can be amended: an
// amendment says when that was.
var sharelike = []string{TypeDisclosureRecorded, TypeSubjectsAdded, TypeSeriesOpened, TypePossibleRecorded, TypeUnsealed}

// continuable are the types that may concern more people than fit into one event.
var continuable = []string{
	TypeDisclosureRecorded, TypeSubjectsAdded, TypeSeriesOpened, TypeSeriesUpdated, TypeSeriesClosed, TypePossibleRecorded,
	TypeDisclosureAmended, TypeDisclosureRetracted, TypeDisclosureDisputed, TypeDisputeResolved, TypeDisclosureAcknowledged, TypeOnwardReported,
}

// kinds is the vocabulary: every type of event whose fields go into a body.
var kinds = map[string]kind{
	TypeEnrolled: {func() Event { return new(Enrolled) }, []string{}, everybody, nil},
	TypeClosed:   {func() Event { return new(Closed) }, []string{}, subjectOnly, nil},

	TypeDisclosureRecorded: {func() Event { return new(DisclosureRecorded) }, shareFields, bothSides, nil},
	TypeSubjectsAdded:      {func() Event { return new(SubjectsAdded) }, shareFields, bothSides, []string{TypeDisclosureRecorded}},
	TypeSeriesOpened: {func() Event { return new(SeriesOpened) },
		sharesWith(map[string]string{"occurred": "series"}), bothSides, nil},
	TypeSeriesUpdated: {func() Event { return new(SeriesUpdated) }, []string{"progress"}, bothSides, []string{TypeSeriesOpened}},
	TypeSeriesClosed:  {func() Event { return new(SeriesClosed) }, []string{"progress", "closing"}, bothSides, []string{TypeSeriesOpened}},
	TypePossibleRecorded: {func() Event { return new(PossibleRecorded) },
		sharesWith(map[string]string{"occurred": "period"}), bothSides, nil},
	TypeDisclosureAmended: {func() Event { return new(DisclosureAmended) },
		sharesWith(map[string]string{"extent": "amendment"}), bothSides, []string{TypeDisclosureRecorded, TypeSubjectsAdded, TypeUnsealed}},
	TypeDisclosureRetracted: {func() Event { return new(DisclosureRetracted) }, []string{"retraction"}, bothSides, sharelike},
	TypeDisclosureDisputed:  {func() Event { return new(DisclosureDisputed) }, []string{"dispute"}, bothSides, sharelike},
	TypeDisputeResolved:     {func() Event { return new(DisputeResolved) }, []string{"resolution"}, bothSides, []string{TypeDisclosureDisputed}},
	TypeDisclosureAcknowledged: {func() Event { return new(DisclosureAcknowledged) },
		[]string{"acknowledgement"}, bothSides, sharelike},
	TypeOnwardReported: {func() Event { return new(OnwardReported) },
		[]string{"onward", "recipient", "reasons", "data", "transfer"}, bothSides, sharelike},

	TypeRecordContinued: {func() Event { return new(RecordContinued) }, []string{"part", "record"}, subjectOnly, continuable},

	TypeRecipientRegistered: {func() Event { return new(RecipientRegistered) }, []string{"recipient"}, recipientOnly, nil},
	TypeRecipientChanged:    {func() Event { return new(RecipientChanged) }, []string{"recipient", "change"}, recipientOnly, nil},
	TypeRecipientsMerged:    {func() Event { return new(RecipientsMerged) }, []string{"merger", "change"}, recipientOnly, nil},
	TypeRelationshipChanged: {func() Event { return new(RelationshipChanged) }, []string{"relationship", "change"}, recipientOnly, nil},
	TypeSubprocessorAdded:   {func() Event { return new(SubprocessorAdded) }, []string{"recipient", "change", "engagement"}, recipientOnly, nil},

	TypeStatementPublished: {func() Event { return new(StatementPublished) }, []string{"document"}, ledgerOnly, nil},
	TypeTaxonomyReleased:   {func() Event { return new(TaxonomyReleased) }, []string{"document"}, ledgerOnly, nil},
	TypeProfileReleased:    {func() Event { return new(ProfileReleased) }, []string{"document"}, ledgerOnly, nil},

	TypeConsentGiven:     {func() Event { return new(ConsentGiven) }, []string{"choice", "scope"}, subjectOnly, nil},
	TypeConsentRefused:   {func() Event { return new(ConsentRefused) }, []string{"choice", "scope"}, subjectOnly, nil},
	TypeConsentWithdrawn: {func() Event { return new(ConsentWithdrawn) }, []string{"choice"}, subjectOnly, []string{TypeConsentGiven}},
	TypeConsentExpired:   {func() Event { return new(ConsentExpired) }, []string{"choice"}, subjectOnly, []string{TypeConsentGiven}},

	TypeSealRecorded:     {func() Event { return new(SealRecorded) }, []string{"step", "order", "period", "record"}, authorityOnly, nil},
	TypeUnsealed:         {func() Event { return new(Unsealed) }, []string{"unsealing", "record"}, bothSides, nil},
	TypeEventUnsealed:    {func() Event { return new(EventUnsealed) }, []string{"unsealing", "record"}, bothSides, nil},
	TypeClosureRequested: {func() Event { return new(ClosureRequested) }, []string{"closure"}, subjectOnly, nil},
	TypeClosureDeclined:  {func() Event { return new(ClosureDeclined) }, []string{"declining"}, subjectOnly, []string{TypeClosureRequested}},
}

// Types returns the types of the events whose fields go into a body, in order.
func Types() []string { return slices.Sorted(maps.Keys(kinds)) }

// About returns the types of the records that an event of a type is about; none
// if it stands for itself.
func About(typ string) []string { return slices.Clone(kinds[typ].about) }

// Carries reports whether events of a type carry labels of a role.
func Carries(typ string, role Role) bool { return slices.Contains(kinds[typ].labels, role) }

// ShareIn returns the share that an event holds, nil if it holds none. A series
// is dated by its first share, a possible share by the end of its period.
func ShareIn(e Event) *DisclosureRecorded {
	switch e := e.(type) {
	case *DisclosureRecorded:
		return e
	case *SubjectsAdded:
		return &e.DisclosureRecorded
	case *DisclosureAmended:
		return &e.DisclosureRecorded
	case *SeriesOpened:
		share := e.DisclosureRecorded
		share.Occurred = Occurred{At: e.Series.First, Precision: e.Series.Precision}
		return &share
	case *PossibleRecorded:
		share := e.DisclosureRecorded
		share.Occurred = Occurred{At: e.Period.To, Precision: "day"}
		return &share
	case *Unsealed:
		if inner, err := e.Record.Event(); err == nil {
			return ShareIn(inner)
		}
	}
	return nil
}

// People returns how many people an event says that it concerns, 0 if it does not
// say.
func People(e Event) uint64 {
	if r, ok := e.(*DisclosureRetracted); ok {
		return r.Retraction.People
	}
	if share := ShareIn(e); share != nil {
		return share.Extent.Subjects
	}
	return 0
}
