package rows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/rows"
)

// told is a row in short: its line, then its share or its problem.
func told(t *testing.T, all iter.Seq2[rows.Row, error]) (out []string, err error) {
	t.Helper()
	for row, err := range all {
		switch {
		case err != nil:
			return out, err
		case row.Err != nil:
			if row.Err.Rule == "" || row.Err.Next == "" {
				t.Errorf("line %d: %+v is not whole", row.Line, row.Err)
			}
			out = append(out, fmt.Sprintf("%d %s !%s", row.Line, row.Key, row.Err.Field))
		default:
			out = append(out, fmt.Sprintf("%d %s %s", row.Line, row.Key, row.Share))
		}
	}
	return out, nil
}

func check(b []byte) error {
	if !json.Valid(b) {
		return &events.FieldError{Field: "row", Rule: "must be JSON", Next: "correct it"}
	}
	return nil
}

func TestJSONL(t *testing.T) {
	for name, c := range map[string]struct {
		in, key string
		want    []string
	}{
		"nothing":       {"", "", nil},
		"rows":          {"{\"a\":1}\n\n{\"b\":2}\r\n{\"c\":3}", "", []string{`1  {"a":1}`, `3  {"b":2}`, `4  {"c":3}`}},
		"a mark first":  {"\xef\xbb\xbf{\"a\":1}\n", "", []string{`1  {"a":1}`}},
		"a bad one":     {"{\"a\":1}\n{\"a\":\n{\"b\":2}\n", "", []string{`1  {"a":1}`, "2  !row", `3  {"b":2}`}},
		"a long one":    {strings.Repeat("x", 3<<20) + "\n{\"b\":2}\n", "", []string{"1  !row", `2  {"b":2}`}},
		"keys":          {"{\"id\":\"k\",\"a\":1}\n{\"a\":1}\n{\"id\":7}\n[1]\n", "id", []string{`1 k {"a":1}`, "2  !id", "3  !id", "4  !row"}},
		"large numbers": {"{\"id\":\"k\",\"a\":12345678901234567890}\n", "id", []string{`1 k {"a":12345678901234567890}`}},
	} {
		got, err := told(t, rows.JSONL(strings.NewReader(c.in), c.key, check))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// broken fails after its text, as a disk may.
type broken struct{ *strings.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		return n, errors.New("the disk is gone")
	}
	return n, nil
}

// TestShortRead: an error is never an early end.
func TestShortRead(t *testing.T) {
	_, err := told(t, rows.JSONL(broken{strings.NewReader("{}\n{}")}, "", check))
	if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("JSON Lines: %v", err)
	}
	_, err = told(t, rows.CSV(broken{strings.NewReader("recipient.id\norg:a\norg:")}, &rows.Mapping{}))
	if err == nil || !strings.Contains(err.Error(), "the disk is gone") {
		t.Errorf("CSV: %v", err)
	}
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		m    rows.Mapping
		want []string
	}{
		"by path": {"recipient.id,reasons,occurred.at\norg:a,consent; research,2026-01-02T03:04:05Z\n", rows.Mapping{},
			[]string{`2  {"occurred":{"at":"2026-01-02T03:04:05Z"},"reasons":["consent","research"],"recipient":{"id":"org:a"},"subjects":[]}`}},
		"mapped": {"Vendor;Why;Person;Junk\nAcme;Card payment;ada@example.com;x\n", rows.Mapping{
			Columns: map[string]string{"Vendor": "recipient.legal_name", "Why": "reasons", "Person": "subjects.id"}, Ignore: []string{"Junk"},
			Values:   map[string]map[string]string{"reasons": {"Card payment": "complete_transaction"}},
			Prefixes: map[string]string{"subjects.id": "email:"}, Delimiter: ";", Separator: "|",
			Constants: map[string]string{"promise.statement": "s1"},
		}, []string{`2  {"promise":{"statement":"s1"},"reasons":["complete_transaction"],"recipient":{"legal_name":"Acme"},"subjects":[{"id":"email:ada@example.com"}]}`}},
		"days":         {"occurred.at\n2026-01-02\n", rows.Mapping{}, []string{`2  {"occurred":{"at":"2026-01-02T00:00:00Z","precision":"day"},"subjects":[]}`}},
		"other days":   {"occurred.at\n02.01.2026\nx\n", rows.Mapping{Time: "02.01.2006"}, []string{`2  {"occurred":{"at":"2026-01-02T00:00:00Z","precision":"day"},"subjects":[]}`, "3  !occurred.at"}},
		"months":       {"occurred.at\n1/2026\n", rows.Mapping{Time: "1/2006"}, []string{`2  {"occurred":{"at":"2026-01-01T00:00:00Z","precision":"month"},"subjects":[]}`}},
		"a zone":       {"occurred.at\n2026-07-02 01:00\n", rows.Mapping{Time: "2006-01-02 15:04", Zone: "Europe/Berlin"}, []string{`2  {"occurred":{"at":"2026-07-01T23:00:00Z"},"subjects":[]}`}},
		"people":       {"subjects.id,subjects.description\nemail:a;email:b,both\nemail:a;email:b,one;two\nemail:a;email:b,1;2;3\nemail:a,one; two\n", rows.Mapping{}, []string{`2  {"subjects":[{"description":"both","id":"email:a"},{"description":"both","id":"email:b"}]}`, `3  {"subjects":[{"description":"one","id":"email:a"},{"description":"two","id":"email:b"}]}`, "4  !subjects.description", `5  {"subjects":[{"description":"one; two","id":"email:a"}]}`}},
		"quoted":       {"recipient.legal_name,cpra.class\n\"Acme, \"\"Inc\"\"\",\"a\nb\"\nB,c\n", rows.Mapping{}, []string{`2  {"cpra":{"class":"a\nb"},"recipient":{"legal_name":"Acme, \"Inc\""},"subjects":[]}`, `4  {"cpra":{"class":"c"},"recipient":{"legal_name":"B"},"subjects":[]}`}},
		"an open mark": {"recipient.legal_name\n\"Acme\nB\nC\n", rows.Mapping{}, []string{"2  !row", `3  {"recipient":{"legal_name":"B"},"subjects":[]}`, `4  {"recipient":{"legal_name":"C"},"subjects":[]}`}},
		"a stray mark": {"recipient.legal_name\nAc\"m\"e\nB\n", rows.Mapping{}, []string{"2  !row", `3  {"recipient":{"legal_name":"B"},"subjects":[]}`}},
		"cells":        {"recipient.id,reasons\na\na,b,c\na,b\n", rows.Mapping{}, []string{"2  !row", "3  !row", `4  {"reasons":["b"],"recipient":{"id":"a"},"subjects":[]}`}},
		"no UTF-8":     {"recipient.id\na\xff\nb\n", rows.Mapping{}, []string{"2  !row", `3  {"recipient":{"id":"b"},"subjects":[]}`}},
		"a long one":   {"recipient.id\n" + strings.Repeat("x", 2<<20) + "\nb\n", rows.Mapping{}, []string{"2  !row", `3  {"recipient":{"id":"b"},"subjects":[]}`}},
		"keys":         {"No,recipient.id\nn1,a\n,b\n", rows.Mapping{Key: "No"}, []string{`2 n1 {"recipient":{"id":"a"},"subjects":[]}`, "3  !No"}},
		"carriage":     {"recipient.id\r\na\r\n\r\n", rows.Mapping{}, []string{`2  {"recipient":{"id":"a"},"subjects":[]}`}},
	} {
		got, err := told(t, rows.CSV(strings.NewReader(c.in), &c.m))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// TestMappings: a mapping that does not fit is refused before the first row.
func TestMappings(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		m    rows.Mapping
		want string
	}{
		"unknown column":   {"Vendor name\nx\n", rows.Mapping{}, `column "Vendor name" is no field of a share; map it (--map 'Vendor name=recipient.legal_name'?)`},
		"unknown field":    {"a\nx\n", rows.Mapping{Columns: map[string]string{"a": "recipient.nation"}}, `columns: "recipient.nation" is no field of a share`},
		"absent column":    {"recipient.id\nx\n", rows.Mapping{Columns: map[string]string{"b": "reasons"}}, `names the column "b", which the file does not have`},
		"column twice":     {"recipient.id,recipient.id\nx,y\n", rows.Mapping{}, `column "recipient.id" appears twice`},
		"field twice":      {"a,recipient.id\nx,y\n", rows.Mapping{Columns: map[string]string{"a": "recipient.id"}}, `both are recipient.id`},
		"absent key":       {"recipient.id\nx\n", rows.Mapping{Key: "No"}, `the key column "No" is not in the file`},
		"unknown constant": {"recipient.id\nx\n", rows.Mapping{Constants: map[string]string{"statement": "x"}}, `did you mean promise.statement?`},
		"zone":             {"recipient.id\nx\n", rows.Mapping{Zone: "Berlin"}, `not a time zone`},
		"delimiter":        {"recipient.id\nx\n", rows.Mapping{Delimiter: ";;"}, `must be one character`},
		"no header":        {"", rows.Mapping{}, `the header row`},
		"no file of ours":  {"extent\n1\n", rows.Mapping{}, `column "extent" is no field`},
	} {
		got, err := told(t, rows.CSV(strings.NewReader(c.in), &c.m))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got) > 0 {
			t.Errorf("%s: %v, %v; want %q", name, got, err, c.want)
		}
	}
	if _, err := rows.ParseMapping([]byte(`{"colums":{}}`)); err == nil {
		t.Error("a mapping with an unknown member is taken")
	}
}

// TestFields: every field that a column can fill, and that the documentation
// names, is one of a share.
func TestFields(t *testing.T) {
	doc, err := os.ReadFile("../../docs/import.md")
	if err != nil {
		t.Fatal(err)
	}
	fields := rows.Fields()
	if len(fields) < 45 {
		t.Errorf("%d fields", len(fields))
	}
	values := map[string][]string{}
	for _, f := range fields {
		values[f.Path] = f.Values
		if !strings.Contains(string(doc), "`"+f.Path+"`") {
			t.Errorf("docs/import.md does not name %s", f.Path)
		}
	}
	if !slices.Contains(values["recipient.category"], "processor") || !slices.Contains(values["reasons"], "consent") || values["recipient.id"] != nil {
		t.Errorf("values of enumerations: %q", values)
	}
}

func TestGVL(t *testing.T) {
	const v2 = `{"gvlSpecificationVersion":2,"vendorListVersion":7,"lastUpdated":"2023-11-16T16:05:29Z","purposes":{},
		"vendors":{"10":{"id":10,"name":" Beta ","policyUrl":"https://b.example"},"2":{"id":2,"name":"Alpha","policyUrl":"https://a.example","deletedDate":"2023-01-01T00:00:00Z"}}}`
	list, err := rows.GVL(strings.NewReader(v2))
	if err != nil || list.Version != 7 || len(list.Vendors) != 2 || list.Vendors[0].RecipientID() != "org:iab-gvl-2" ||
		list.Vendors[1].Name != "Beta" || list.Vendors[0].Policy() != "https://a.example" || list.Vendors[0].Deleted == "" {
		t.Errorf("%+v, %v", list, err)
	}
	v3 := strings.Replace(strings.Replace(v2, `"gvlSpecificationVersion":2`, `"gvlSpecificationVersion":3`, 1),
		`"policyUrl":"https://b.example"`, `"urls":[{"langId":"en","privacy":"https://c.example"}]`, 1)
	if list, err = rows.GVL(strings.NewReader(v3)); err != nil || list.Vendors[1].Policy() != "https://c.example" {
		t.Errorf("version 3: %+v, %v", list, err)
	}
	for _, bad := range []string{"", "[]", "{}", strings.Replace(v2, `"10":`, `"11":`, 1), strings.Replace(v2, `tionVersion":2`, `tionVersion":1`, 1)} {
		if _, err := rows.GVL(strings.NewReader(bad)); err == nil {
			t.Errorf("taken: %.40s", bad)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add("recipient.id,reasons\na,\"b\nc\"\n\"\n", ",")
	f.Fuzz(func(t *testing.T, text, delimiter string) {
		last := 0
		for row, err := range rows.CSV(strings.NewReader(text), &rows.Mapping{Delimiter: delimiter}) {
			if err != nil {
				return
			}
			if row.Line <= last || row.Line > strings.Count(text, "\n")+1 || (row.Err == nil) != json.Valid(row.Share) {
				t.Fatalf("after line %d: %+v", last, row)
			}
			last = row.Line
		}
	})
}
