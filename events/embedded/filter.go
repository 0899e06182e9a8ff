package embedded

import (
	"regexp"
	"slices"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// defaultWindow is the search window of a filter that names none.
const defaultWindow = 32

// filter is a choice of events of $all, by the name of their stream or by their
// type: those with one of the prefixes, or those that a regular expression
// matches anywhere. Expressions are of RE2; the real server has .NET's, which
// knows more. Nil chooses every event.
type filter struct {
	ByType   bool     `json:"byType,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
	Regex    string   `json:"regex,omitempty"`

	regex *regexp.Regexp
}

// compile checks a filter and makes it ready.
func (f *filter) compile() error {
	if (len(f.Prefixes) == 0) == (f.Regex == "") {
		return status.Error(codes.InvalidArgument, "a filter has prefixes or a regular expression")
	}
	if f.Regex == "" {
		return nil
	}
	var err error
	if f.regex, err = regexp.Compile(f.Regex); err != nil {
		return status.Errorf(codes.InvalidArgument, "the regular expression is not one of RE2, which is what this node knows: %v", err)
	}
	return nil
}

func (f *filter) match(e *event) bool {
	if f == nil {
		return true
	}
	text := e.stream
	if f.ByType {
		text = e.kind
	}
	if f.regex != nil {
		return f.regex.MatchString(text)
	}
	return slices.ContainsFunc(f.Prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
}

// expression is what the filter options of every request are made of.
type expression interface {
	GetRegex() string
	GetPrefix() []string
}

// parseFilter reads a filter by stream name or by event type.
func parseFilter(byType bool, e expression) (*filter, error) {
	f := &filter{ByType: byType, Prefixes: e.GetPrefix(), Regex: e.GetRegex()}
	return f, f.compile()
}
