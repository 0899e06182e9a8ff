package verifier_test

import (
	"testing"

	"github.com/sharetrail/sharetrail/verifier"
)

// underAlias is a ledger in which something was sealed about a name that became an
// alias of Ada's, or of who is said, and was told to her then.
func underAlias(of func(*sealer) *party, change func(*sealer, *party, *verifier.Report)) func(testing.TB) (*reader, []byte) {
	return func(t testing.TB) (*reader, []byte) {
		s := newSealer(t)
		work := s.party(s.ada.role, "email:ada@work.example")
		s.at = s.seal(work)
		if work.primary = of(s); work.primary != nil {
			s.enrol(work)
		}
		r := s.tell(s.honest(s.ada, 1))
		part(r).Names = append(part(r).Names, s.name(work, s.next()))
		if change != nil {
			change(s, work, r)
		}
		return s.to(s.ada, r)
	}
}

func toAda(s *sealer) *party { return s.ada }

func sealedAliasLies() map[string]remark {
	const elsewhere = "sealed about somebody else"
	return map[string]remark{
		"the alias is not shown": {underAlias(toAda, func(_ *sealer, _ *party, r *verifier.Report) { part(r).Names = part(r).Names[:1] }), elsewhere},
		"it is no alias":         {underAlias(func(*sealer) *party { return nil }, nil), elsewhere},
		"it is another's alias": {underAlias(func(s *sealer) *party { return s.bob }, func(s *sealer, work *party, r *verifier.Report) {
			part(r).Names = []verifier.Name{part(r).Names[0], part(r).Names[1], s.name(s.bob, s.next())}
		}), elsewhere},
		"a name beside it": {underAlias(toAda, func(s *sealer, _ *party, r *verifier.Report) {
			part(r).Names = append(part(r).Names, s.name(s.bob, s.next()))
		}), "to which no alias leads"},
	}
}

func TestSealedUnderAlias(t *testing.T) {
	r, file := underAlias(toAda, nil)(t)
	if v, err := r.check(file); err != nil || len(v.Entries) != 1 || v.Entries[0].Sealed == nil {
		t.Errorf("%+v, %v", v, err)
	}
	wantRemarks(t, sealedAliasLies())
}
