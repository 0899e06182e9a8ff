package events_test

import (
	"errors"
	"os"
	"strings"
	"testing"

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
	for _, r := range []events.Role{events.RoleSubject, events.RoleRecipient, events.RoleAuthority} {
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
