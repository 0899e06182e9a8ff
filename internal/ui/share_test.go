package ui_test

import (
	"fmt"
	"html"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/ui"
)

// TestEveryField: whatever a share says is shown to the person. Each field is
// set by itself, so that none is shown only where another is.
func TestEveryField(t *testing.T) {
	n := 0
	for _, of := range []reflect.Type{reflect.TypeFor[events.DisclosureRecorded](), reflect.TypeFor[events.Private]()} {
		for _, path := range leaves(of, nil) {
			if name := strings.Join(path, "."); name == "Occurred.Precision" || name == "Extent.Continuations" {
				continue // how the time is shown; how the ledger stores many people
			}
			n++
			share, private := new(events.DisclosureRecorded), new(events.Private)
			root := reflect.ValueOf(share).Elem()
			if of == reflect.TypeFor[events.Private]() {
				root = reflect.ValueOf(private).Elem()
			}
			want := set(root, path, 7000+n)
			got, err := ui.RenderShare(share, private)
			if err != nil || !strings.Contains(html.UnescapeString(got), want) {
				t.Errorf("%s.%v is not shown (%v):\n%s", of.Name(), path, err, got)
			}
		}
	}
	if n < 48 {
		t.Errorf("only %d fields", n)
	}
}

// leaves lists the paths to every text and number in a type.
func leaves(t reflect.Type, at []string) (all [][]string) {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return leaves(t.Elem(), at)
	case reflect.Struct:
		for f := range t.Fields() {
			all = append(all, leaves(f.Type, append(at[:len(at):len(at)], f.Name))...)
		}
		return all
	}
	return [][]string{at}
}

// set sets the value at a path, alone, and returns what must be shown.
func set(v reflect.Value, path []string, n int) string {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return set(v.Elem(), path, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return set(v.Index(0), path, n)
	case reflect.Struct:
		return set(v.FieldByName(path[0]), path[1:], n)
	case reflect.Uint64:
		v.SetUint(uint64(n))
	default:
		v.SetString(fmt.Sprint("value-", n))
		return fmt.Sprint("value-", n)
	}
	return fmt.Sprint(n)
}

// TestTextsCannotPose: what somebody wrote into a field is text on the page, and
// moves nothing else about.
func TestTextsCannotPose(t *testing.T) {
	share := &events.DisclosureRecorded{Recipient: events.Recipient{LegalName: "<script>x</script>\u202eevil"}, Data: events.SharedData{Categories: []string{"<b>\u202e"}}}
	got, err := ui.RenderShare(share, &events.Private{Description: "</dd><h1>VERIFIED\u2066"})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "<b>", "<h1>", "\u202e", "\u2066"} {
		if strings.Contains(got, bad) {
			t.Errorf("%q is on the page:\n%s", bad, got)
		}
	}
}

// TestReasonsAreWorded: the form offers every reason, in words.
func TestReasonsAreWorded(t *testing.T) {
	have, want := ui.Worded(), events.Terms()["reasons"]
	slices.Sort(have)
	slices.Sort(want)
	if len(want) < 17 || !slices.Equal(have, want) {
		t.Errorf("in words: %q\nreasons: %q", have, want)
	}
}
