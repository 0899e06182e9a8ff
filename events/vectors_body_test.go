package events_test

import (
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/sharetrail/sharetrail/events"
)

// field is one field group as the specification sees it.
type field struct {
	number uint64
	name   string
	value  []byte
}

// spell writes fields for a golden file: number, name and value in hexadecimal.
func spell(fields []field) string {
	var texts []string
	for _, f := range fields {
		texts = append(texts, fmt.Sprintf("%d %s %x", f.number, f.name, f.value))
	}
	return strings.Join(texts, "; ")
}

func parseSpelled(s string) []events.Field {
	var fields []events.Field
	for text := range strings.SplitSeq(s, "; ") {
		if words := strings.Split(text, " "); len(words) == 3 {
			fields = append(fields, events.Field{Number: uint16(unnum(words[0])), Name: words[1], Value: unhex(words[2])})
		}
	}
	return fields
}

func specBody(fields ...field) []byte {
	var items [][]byte
	for _, f := range fields {
		items = append(items, cArray(cUint(f.number), cText(f.name), f.value))
	}
	return cArray(items...)
}

// someFields are fields with values of every allowed kind.
func someFields() []field {
	return []field{
		{0, "occurred", cMap(cText("at"), cText("2026-11-22T10:00:00Z"))},
		{1, "reasons", cArray(cText("consent"), cText("research"))},
		{5, "data", cMap(cText("kind"), cText("metadata"), cText("categories"), cArray())},
		{12, "provenance", cMap(cText("grade"), cText("native"))},
		{15, "extent", cMap(cText("subjects"), cUint(2), cText("continuations"), cUint(0))},
	}
}

func specFields() []vector {
	deep := func(levels int) []byte { return cat(fill(0x81, levels), []byte{0x00}) }
	good := func(name string, fields ...field) vector {
		return vector{Name: name, In: values{"fields": spell(fields)}, Out: values{"body": hx(specBody(fields...))}}
	}
	one := func(value []byte) []byte { return specBody(field{3, "x", value}) }
	bad := []named{
		{"nothing", nil},
		{"null", []byte{0xf6}},
		{"a map", []byte{0xa0}},
		{"cut by one byte", specBody(someFields()...)[:80]},
		{"one byte too many", cat(specBody(someFields()...), []byte{0})},
		{"indefinite array", unhex("9fff")},
		{"array head in two bytes", unhex("9800")},
		{"field of two items", unhex("81820361" + "78")},
		{"field of four items", unhex("8184036178" + "0000")},
		{"number in two bytes", unhex("8183180361" + "7800")},
		{"number 65536", unhex("81831a00010000617800")},
		{"number negative", unhex("818320617800")},
		{"name in bytes", unhex("818303417800")},
		{"name empty", specBody(field{3, "", cUint(0)})},
		{"name of 256 bytes", specBody(field{3, strings.Repeat("n", 256), cUint(0)})},
		{"name not UTF-8", specBody(field{3, "\xff", cUint(0)})},
		{"number twice", specBody(field{3, "x", cUint(0)}, field{3, "y", cUint(0)})},
		{"numbers falling", specBody(field{4, "x", cUint(0)}, field{3, "y", cUint(0)})},
		{"value null", one([]byte{0xf6})},
		{"value undefined", one([]byte{0xf7})},
		{"value a simple value", one(unhex("e0"))},
		{"value a 16-bit float", one(unhex("f93c00"))},
		{"value a 32-bit float", one(unhex("fa3f800000"))},
		{"value a 64-bit float", one(unhex("fb3ff0000000000000"))},
		{"value NaN", one(unhex("f97e00"))},
		{"value tagged as a time", one(cat([]byte{0xc0}, cText("2026-11-22T10:00:00Z")))},
		{"value a bignum", one(unhex("c2490100000000000000" + "00"))},
		{"value below -2^63", one(unhex("3b8000000000000000"))},
		{"value in two bytes", one(unhex("1817"))},
		{"value an indefinite text", one(unhex("7f6161ff"))},
		{"value an indefinite array", one(unhex("9f00ff"))},
		{"map with unsorted keys", one(cMap(cText("b"), cUint(0), cText("a"), cUint(0)))},
		{"map sorted by letters, not by length first", one(cMap(cText("aa"), cUint(0), cText("b"), cUint(0)))},
		{"map with a key twice", one(cMap(cText("a"), cUint(0), cText("a"), cUint(1)))},
		{"map with a number as key", one(cMap(cUint(1), cUint(0)))},
		{"map with bytes as key", one(cMap(cBytes([]byte("a")), cUint(0)))},
		{"map with an array as key", one(cMap(cArray(), cUint(0)))},
		{"float inside", one(cArray(unhex("f90000")))},
		{"null inside", one(cMap(cText("a"), []byte{0xf6}))},
		{"text not UTF-8", one(cText("\xc3\x28"))},
		{"text a surrogate", one(cText("\xed\xa0\x80"))},
		{"nested 7 deep", one(deep(7))},
	}
	return append([]vector{
		good("none"),
		good("some", someFields()...),
		good("every kind of value", field{0, "v", cArray(cUint(0), cUint(1<<64-1), head(1, 0), head(1, 1<<63-1),
			cText(""), cText("é"), cBytes([]byte{0, 255}), []byte{0xf4}, []byte{0xf5}, cArray(), cMap(),
			cMap(cText("b"), cUint(0), cText("aa"), cUint(1)))}),
		good("greatest number, longest name", field{65535, strings.Repeat("n", 255), cUint(0)}),
		good("nested 6 deep", field{0, "v", deep(6)}),
	}, refusals("body", bad)...)
}

func runFields(in values) (values, error) {
	if text, ok := in["body"]; ok {
		_, err := events.ParseFields(unhex(text))
		return nil, err
	}
	fields := parseSpelled(in["fields"])
	b := events.MarshalFields(fields)
	again, err := events.ParseFields(b)
	if err != nil {
		return nil, err
	}
	if !cmp.Equal(fields, again, cmpopts.EquateEmpty(), cmpopts.IgnoreUnexported(events.Field{})) {
		return nil, differ("ParseFields")
	}
	return values{"body": hx(b)}, nil
}

// specFieldCommit is the commitment of field j, or of its absence.
func specFieldCommit(seed []byte, j uint64, fields []field) []byte {
	for _, f := range fields {
		if f.number == j {
			msg := cat(be(2, j), opaque(1, []byte(f.name)), opaque(3, f.value))
			return specCommit("field", specOpening(seed, j+1), msg)
		}
	}
	return specCommit("pad", specOpening(seed, j+1), be(2, j))
}

// specTree returns the root over some leaf hashes and the path of leaf j, by
// the recursive definition of RFC 6962 section 2.1.
func specTree(leaves [][]byte, j int) (root []byte, path [][]byte) {
	if len(leaves) == 1 {
		return leaves[0], nil
	}
	half := len(leaves) / 2
	left, leftPath := specTree(leaves[:half], j)
	right, rightPath := specTree(leaves[half:], j-half)
	if j < half {
		return specNode(left, right), append(leftPath, right)
	}
	return specNode(left, right), append(rightPath, left)
}

func specBodies() []vector {
	seed := ramp(0x40)
	var out []vector
	for _, width := range []uint64{16, 32, 64} {
		last := width - 1
		full := append(someFields()[:4:4], field{last, "last", cUint(width)})
		for _, fields := range [][]field{full, nil} {
			var leaves, commits [][]byte
			for j := range width {
				commits = append(commits, specFieldCommit(seed, j, fields))
				leaves = append(leaves, specLeafHash(commits[j]))
			}
			v := vector{Name: fmt.Sprintf("width %d, %d fields", width, len(fields)), In: values{
				"seed": hx(seed), "width": num(width), "fields": spell(fields),
			}, Out: values{"commitments": hxs(commits...)}}
			for _, j := range []int{0, 1, int(last)} {
				root, path := specTree(leaves, j)
				v.Out["root"], v.Out[fmt.Sprint("path ", j)] = hx(root), hxs(path...)
			}
			out = append(out, v)
		}
	}
	refuse := func(name, width, fields string) {
		out = append(out, vector{Name: name, In: values{"seed": hx(seed), "width": width, "fields": fields}, Refused: true})
	}
	for _, width := range []string{"0", "1", "8", "17", "128"} {
		refuse("width "+width, width, "")
	}
	refuse("field beyond the width", "16", "16 x 00")
	refuse("field twice", "16", "3 x 00; 3 y 00")
	refuse("value a float", "16", "3 x f90000")
	return out
}

func runBody(in values) (values, error) {
	seed, width, fields := hash(in["seed"]), int(unnum(in["width"])), parseSpelled(in["fields"])
	body, err := events.NewBody(seed, width, fields)
	if err != nil {
		return nil, err
	}
	root := body.Root()
	out := values{"root": hx(root[:])}
	for _, j := range []int{0, 1, width - 1} {
		var path [][]byte
		for _, h := range body.Path(uint16(j)) {
			path = append(path, h[:])
		}
		out[fmt.Sprint("path ", j)] = hxs(path...)
	}
	var commits [][]byte
	for j := range width {
		opening := events.Opening(seed, uint16(j+1))
		c := events.Commit("pad", opening, be(2, uint64(j)))
		for _, f := range fields {
			if int(f.Number) == j {
				c = f.Commit(opening)
			}
		}
		commits = append(commits, c[:])
	}
	out["commitments"] = hxs(commits...)
	return out, nil
}
