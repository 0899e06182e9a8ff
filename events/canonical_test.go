package events_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"github.com/sharetrail/sharetrail/events"
)

// document has a member of every shape that documents of ours have.
type document struct {
	Text  string `json:"text"`
	Maybe string `json:"maybe,omitempty"`
	Bytes []byte `json:"bytes"`
	inner
	Pointer *events.Hash        `json:"pointer"`
	Left    *inner              `json:"left,omitempty"`
	Hash    events.Hash         `json:"hash,omitzero"`
	ID      events.ID           `json:"id"`
	List    []inner             `json:"list"`
	Map     map[string][]string `json:"map"`
	Flag    bool                `json:"flag,omitempty"`
	Number  int                 `json:"number"`
}

type inner struct {
	Small uint8  `json:"small"`
	Large uint64 `json:"large,omitempty"`
}

// reencoded is what canonical means: decode as encoding/json does, encode again,
// compare.
func reencoded(b []byte) (d document, ok bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if dec.Decode(&d) != nil {
		return d, false
	}
	again, err := events.MarshalJSON(d)
	return d, err == nil && bytes.Equal(again, b)
}

func whole() document {
	return document{
		Text: "a \"b\" \\ \u2028 é 株 <&> \x7f\t\x01", Maybe: "x", Bytes: []byte{1, 2, 3}, inner: inner{7, 1 << 63}, Pointer: &events.Hash{1},
		Left: &inner{1, 0}, Hash: events.Hash{2}, ID: events.ID{3}, List: []inner{{}, {1, 2}},
		Map: map[string][]string{"b": {"1"}, "a\n": {}}, Flag: true, Number: -5,
	}
}

// FuzzCanonicalJSON: the decoder accepts exactly what encodes to itself, and gives
// the same.
func FuzzCanonicalJSON(f *testing.F) {
	full, err := events.MarshalJSON(whole())
	if err != nil {
		f.Fatal(err)
	}
	least, err := events.MarshalJSON(document{Bytes: []byte{}, List: []inner{}, Map: map[string][]string{}})
	if err != nil {
		f.Fatal(err)
	}
	for _, b := range [][]byte{full, least} {
		f.Add(string(b), uint16(0), "")
		f.Add(string(b), uint16(9), "null")
		f.Add(string(b), uint16(2), " ")
	}
	f.Fuzz(func(t *testing.T, text string, at uint16, insert string) {
		for _, b := range []string{text, text[:int(at)%(len(text)+1)] + insert + text[int(at)%(len(text)+1):]} {
			want, ok := reencoded([]byte(b))
			var got document
			err := events.UnmarshalJSON([]byte(b), &got)
			if ok != (err == nil) || ok && !reflect.DeepEqual(want, got) {
				t.Errorf("%q: %v, and it does encode to itself: %v", b, err, ok)
			}
		}
	})
}

// TestCanonicalDecoder changes each byte of documents, takes it out and doubles it.
func TestCanonicalDecoder(t *testing.T) {
	full, _ := events.MarshalJSON(whole())
	least, _ := events.MarshalJSON(document{Bytes: []byte{}, List: []inner{}, Map: map[string][]string{}})
	none, _ := events.MarshalJSON(document{Map: map[string][]string{"a": nil}})
	for _, b := range [][]byte{full, least, none} {
		if _, ok := reencoded(b); !ok {
			t.Fatalf("%s does not encode to itself", b)
		}
		check := func(b []byte) {
			t.Helper()
			_, ok := reencoded(b)
			var got document
			if err := events.UnmarshalJSON(b, &got); ok != (err == nil) {
				t.Errorf("%q: %v, and it does encode to itself: %v", b, err, ok)
			}
		}
		check(b)
		for i := range b {
			for _, c := range []byte("0a\",:{}[]\\n t\xff\x00") {
				check(append(append(bytes.Clone(b[:i]), c), b[i+1:]...))
				check(append(append(bytes.Clone(b[:i]), c), b[i:]...))
			}
			check(append(bytes.Clone(b[:i]), b[i+1:]...))
			check(b[:i])
		}
	}
}
