package events

//go:generate go run gen_assigned.go

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Identity names a party inside a ledger: namespace || 0x00 || local id. Its
// exact bytes go into the VRF, so one person must always give the same bytes:
// the rules for that (normal form, case, Unicode version) are frozen at leaf 0.
type Identity string

const (
	maxNamespace = 63
	maxLocal     = 900

	// joiner (U+034F) is what the normalising library puts between more than 30
	// combining marks. Plain NFC does not, so such text is refused.
	joiner = "\u034f"
)

// IdentityRule says how the local ids of one namespace are spelled.
type IdentityRule struct {
	Namespace string `json:"namespace"`
	Case      string `json:"case"` // one of the case rules
}

// The case rules of a namespace.
const (
	CasePreserve   = "preserve"
	CaseLowerASCII = "lower-ascii" // A-Z become a-z, everything else stays
	CaseE164       = "e164"        // a telephone number in international form: + and 4 to 15 digits
)

// cases are the case rules there are.
var cases = []string{CasePreserve, CaseLowerASCII, CaseE164}

// ParseIdentity reads what a person types, "namespace:local", and gives the
// canonical identity under the given rules. Errors are *[FieldError]s.
func ParseIdentity(rules []IdentityRule, text string) (Identity, error) {
	ns, local, ok := strings.Cut(text, ":")
	if !ok {
		return "", bad("id", "must be namespace:local, such as email:ada@example.com", "put the namespace in front")
	}
	i := slices.IndexFunc(rules, func(r IdentityRule) bool { return r.Namespace == ns })
	if i < 0 {
		return "", bad("id", "begins with a namespace that is not one of this ledger's", "use one of "+namespaces(rules))
	}
	if !utf8.ValidString(local) {
		return "", bad("id", "must be UTF-8", "send the identifier in UTF-8")
	}
	// Before normalising: a program with newer tables must refuse what this one
	// refuses, not normalise it into something older.
	if err := checkCharacters(local); err != nil {
		return "", err
	}
	typed := local
	local = norm.NFC.String(local)
	if rules[i].Case == CaseLowerASCII {
		// Again, because some letters compose only in lower case: H with a line
		// below is two characters, h with a line below is one.
		local = norm.NFC.String(lowerASCII(local))
	}
	if rules[i].Case == CaseE164 {
		var err error
		if local, err = telephone(local); err != nil {
			return "", err
		}
	}
	if strings.Count(local, joiner) != strings.Count(typed, joiner) {
		return "", bad("id", "must not put more than 30 combining marks on one letter", "remove some")
	}
	if local == "" || len(local) > maxLocal {
		return "", bad("id", "the part after the colon must have 1 to 900 bytes", "shorten it or give one")
	}
	return Identity(ns + "\x00" + local), nil
}

// separators are what people write between the digits of a telephone number.
var separators = strings.NewReplacer(" ", "", "-", "", ".", "", "/", "", "(", "", ")", "")

// telephone gives a number its one spelling. A zero in brackets is refused: some
// leave it out abroad, some dial it, and two people would become one.
func telephone(s string) (string, error) {
	digits := separators.Replace(s)
	ok := len(digits) >= 5 && len(digits) <= 16 && digits[0] == '+' && digits[1] >= '1' && digits[1] <= '9' && !strings.Contains(s, "(0)")
	for i := 1; i < len(digits); i++ {
		ok = ok && digits[i] >= '0' && digits[i] <= '9'
	}
	if !ok {
		return "", bad("id", "must be a telephone number in international form (E.164), with no zero in brackets", "write it like phone:+49 30 123456")
	}
	return digits, nil
}

// CheckIdentity reports whether id is canonical under the rules: what
// [ParseIdentity] gives for its own text.
func CheckIdentity(rules []IdentityRule, id Identity) error {
	again, err := ParseIdentity(rules, id.String())
	if err != nil {
		return err
	}
	if again != id {
		return bad("id", "is not in canonical form", "use "+again.String())
	}
	return nil
}

// String returns namespace:local.
func (id Identity) String() string { return strings.Replace(string(id), "\x00", ":", 1) }

func checkCharacters(local string) error {
	for _, r := range local {
		if unicode.IsControl(r) {
			return bad("id", "must not contain control characters", "remove them")
		}
		if r == utf8.RuneError {
			return bad("id", "must not contain U+FFFD, which stands for what could not be read", "send the identifier in UTF-8")
		}
		// Format characters (zero width, text direction) and odd spaces make two
		// identities that look like one.
		if unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r != ' ' && unicode.Is(unicode.Zs, r) {
			return bad("id", "must not contain format characters, nor spaces but the plain one", "remove them")
		}
		if !assigned(r) {
			return bad("id", "must use characters of Unicode 15.0.0 only", "spell it with older characters")
		}
	}
	if strings.TrimSpace(local) != local {
		return bad("id", "must not begin or end with a space", "trim it")
	}
	return nil
}

func assigned(r rune) bool {
	_, found := slices.BinarySearchFunc(assigned15[:], r, func(run [2]rune, r rune) int {
		switch {
		case run[1] < r:
			return -1
		case run[0] > r:
			return 1
		}
		return 0
	})
	return found
}

func validNamespace(ns string) bool {
	if ns == "" || len(ns) > maxNamespace {
		return false
	}
	for _, c := range []byte(ns) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '-') {
			return false
		}
	}
	return true
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}, s)
}

func namespaces(rules []IdentityRule) string {
	var names []string
	for _, r := range rules {
		names = append(names, r.Namespace)
	}
	return strings.Join(names, ", ")
}
