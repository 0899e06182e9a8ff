package events_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
)

func readFormats(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("../docs/formats.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The leaf that docs/formats.md explains byte by byte is the vector it names.
func TestFormatsLeaf(t *testing.T) {
	_, after, ok := strings.Cut(readFormats(t), "<!-- leaf: a test compares this with the vector -->\n```\n")
	block, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("docs/formats.md has no annotated leaf")
	}
	var leaf string
	for line := range strings.Lines(block) {
		leaf += strings.Fields(line)[0]
	}
	const name = "entry with 2 slots"
	for _, v := range readVectors(t, "leaf.json") {
		if v.Name != name {
			continue
		}
		if v.Out["leaf"] != leaf {
			t.Errorf("docs/formats.md has another leaf:\n%s\n%s", leaf, v.Out["leaf"])
		}
		if text := readFormats(t); !strings.Contains(text, name) || !strings.Contains(text, v.Out["leaf_hash"]) {
			t.Error("docs/formats.md has another name or leaf hash")
		}
		return
	}
	t.Errorf("no vector is named %q", name)
}

// Each vectors file is named where its format is described.
func TestFormatsNamesVectors(t *testing.T) {
	text := readFormats(t)
	for _, set := range vectorSets() {
		if !strings.Contains(text, "`"+set.file+"`") {
			t.Errorf("docs/formats.md does not name %s", set.file)
		}
	}
}

// The escapes of canonical JSON are those docs/formats.md lists.
func TestCanonicalJSON(t *testing.T) {
	type document struct {
		Text string   `json:"text"`
		List []string `json:"list"`
	}
	text := "\"\\/<>&'\x00\b\t\n\v\f\r\x1f\x7f\u0080é\u2028\u2029\ufeff\ufffd𝄞"
	want := `{"text":"\"\\/<>&'\u0000\b\t\n\u000b\f\r\u001f` + "\x7f\u0080é" + `\u2028\u2029` + "\ufeff\ufffd𝄞" + `","list":[]}`
	got, err := events.MarshalJSON(document{Text: text, List: []string{}})
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
	var back document
	if err := events.UnmarshalJSON(got, &back); err != nil || back.Text != text {
		t.Errorf("got %q, %v", back.Text, err)
	}
	for name, bad := range map[string]string{
		"slash escaped":               `{"text":"\/","list":[]}`,
		"escape in capitals":          `{"text":"\u001F","list":[]}`,
		"long form of a newline":      `{"text":"\u000a","list":[]}`,
		"letter escaped":              `{"text":"\u00e9","list":[]}`,
		"HTML escaped":                `{"text":"\u003c","list":[]}`,
		"separator written literally": "{\"text\":\"\u2028\",\"list\":[]}",
		"replacement escaped":         `{"text":"\ufffd","list":[]}`,
		"surrogates escaped":          `{"text":"\ud834\udd1e","list":[]}`,
		"lone surrogate":              `{"text":"\ud834","list":[]}`,
		"not UTF-8":                   "{\"text\":\"\xff\",\"list\":[]}",
		"white space":                 `{"text":"", "list":[]}`,
		"white space before":          ` {"text":"","list":[]}`,
		"byte order mark":             "\ufeff" + `{"text":"","list":[]}`,
		"member missing":              `{"text":""}`,
		"member twice":                `{"text":"","text":"","list":[]}`,
		"unknown member":              `{"text":"","list":[],"x":0}`,
		"member in capitals":          `{"Text":"","list":[]}`,
		"other order":                 `{"list":[],"text":""}`,
		"something behind":            `{"text":"","list":[]}{}`,
	} {
		if err := events.UnmarshalJSON([]byte(bad), new(document)); !errors.Is(err, events.ErrJSON) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

func TestRoleText(t *testing.T) {
	for _, r := range []events.Role{events.RoleSubject, events.RoleRecipient, events.RoleAuthority, events.RoleController} {
		if got, ok := events.ParseRole(r.String()); !ok || got != r {
			t.Errorf("role %d is %q, which gives %d, %v", r, r, got, ok)
		}
	}
	for _, s := range []string{"", "Subject", "unknown"} {
		if r, ok := events.ParseRole(s); ok {
			t.Errorf("%q gives role %d", s, r)
		}
	}
}

// block returns what stands in docs/formats.md behind a comment, up to an empty line.
func block(t *testing.T, comment string) string {
	t.Helper()
	_, after, ok := strings.Cut(readFormats(t), "<!-- "+comment+": a test compares this with the package -->\n")
	text, _, closed := strings.Cut(after, "\n\n")
	if !ok || !closed {
		t.Fatalf("docs/formats.md has no %s", comment)
	}
	return text
}

// The table of types in docs/formats.md is the package's.
func TestFormatsTypes(t *testing.T) {
	want := []string{"| type | roles | about | groups |", "|---|---|---|---|"}
	rules := events.DefaultRules()
	for _, c := range familyCases() {
		groups := specTypeGroups(c, rules.Fields[c.typ])
		want = append(want, "| "+c.typ+" | "+strings.Join(rules.Labels[c.typ], ", ")+" | "+strings.Join(events.About(c.typ), ", ")+" | "+groups+" |")
	}
	if diff := cmp.Diff(strings.Split(block(t, "types"), "\n"), want); diff != "" {
		t.Errorf("(-there +package):\n%s", diff)
	}
}

// specTypeGroups names the groups of a type, those that may be absent with "?".
func specTypeGroups(c familyCase, names []string) string {
	always := map[string]bool{}
	empty, err := events.Decode(c.typ, nil)
	if err != nil {
		panic(err)
	}
	for _, f := range events.Fields(empty) {
		always[f.Name] = true
	}
	var groups []string
	for j, name := range names {
		switch {
		case len(c.full) > 10 && j == 1:
			groups = append(groups, "share")
		case len(c.full) > 10 && j > 1 && j < 15:
		case always[name]:
			groups = append(groups, name)
		default:
			groups = append(groups, "? "+name)
		}
	}
	return strings.Join(groups, ", ")
}

// The enumerations in docs/formats.md are the package's.
func TestFormatsTerms(t *testing.T) {
	fields := map[string][]string{} // by values
	for field, values := range events.Terms() {
		text := strings.Join(values, ", ")
		fields[text] = append(fields[text], field)
	}
	var rows []string
	for text, names := range fields {
		slices.Sort(names)
		rows = append(rows, "| "+strings.Join(names, ", ")+" | "+text+" |")
	}
	slices.Sort(rows)
	want := append([]string{"| field | values |", "|---|---|"}, rows...)
	if diff := cmp.Diff(strings.Split(block(t, "terms"), "\n"), want); diff != "" {
		t.Errorf("(-there +package):\n%s", diff)
	}
}
