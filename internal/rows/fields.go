package rows

import (
	"reflect"
	"slices"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// kind is what a cell of a column becomes.
type kind int

const (
	text kind = iota + 1
	list
	perSubject // one for all subjects, or one for each
)

// Field is a field of a share that a column can fill.
type Field struct {
	Path   string   `json:"path"`
	List   bool     `json:"list"` // several values in one cell
	Doc    string   `json:"doc"`
	Values []string `json:"values,omitempty"` // what it may be, if not anything
}

// Fields are all of them, in the order of the documentation.
func Fields() []Field {
	var out []Field
	terms := events.Terms()
	walk(reflect.TypeFor[events.DisclosureRecorded](), "", func(path, doc string, k kind) {
		out = append(out, Field{Path: path, List: k == list, Doc: doc, Values: terms[path]})
	})
	out = append(out, Field{Path: "subjects.id", List: true, Doc: "whom the share concerns, namespace:local"})
	walk(reflect.TypeFor[events.Private](), "subjects.", func(path, doc string, _ kind) {
		if path != "subjects.evidence" {
			out = append(out, Field{Path: path, List: true, Doc: doc + "; one for all subjects of the row, or one for each"})
		}
	})
	return out
}

var kinds = func() map[string]kind {
	out := map[string]kind{}
	for _, f := range Fields() {
		switch {
		case strings.HasPrefix(f.Path, "subjects."):
			out[f.Path] = perSubject
		case f.List:
			out[f.Path] = list
		default:
			out[f.Path] = text
		}
	}
	return out
}()

func walk(t reflect.Type, prefix string, found func(path, doc string, k kind)) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "extent" { // counted by the ledger
			continue
		}
		of := f.Type
		if of.Kind() == reflect.Pointer {
			of = of.Elem()
		}
		switch of.Kind() {
		case reflect.Struct:
			walk(of, prefix+name+".", found)
		case reflect.Slice:
			found(prefix+name, f.Tag.Get("doc"), list)
		case reflect.String:
			found(prefix+name, f.Tag.Get("doc"), text)
		}
	}
}

// closest suggests a field for a name that is none.
func closest(name string) string {
	want := words(name)
	best, most := "", 0
	for _, f := range Fields() {
		n := 0
		for _, w := range words(f.Path) {
			if slices.Contains(want, w) {
				n++
			}
		}
		if n > most {
			best, most = f.Path, n
		}
	}
	return best
}

func words(s string) []string {
	return strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return !(r >= 'a' && r <= 'z') })
}
