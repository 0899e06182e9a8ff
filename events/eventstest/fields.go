package eventstest

import (
	"fmt"
	"reflect"
)

// Leaves lists the paths to every text and number in a type of event: whoever shows
// events is tested to show each of them.
func Leaves(t reflect.Type) [][]string { return leaves(t, nil) }

func leaves(t reflect.Type, at []string) (all [][]string) {
	if t == reflect.TypeFor[[]byte]() {
		return nil // fields of another event, which is shown itself
	}
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

// Set sets the value at a path, alone, and returns the text that must be shown.
func Set(v reflect.Value, path []string, n int) string {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return Set(v.Elem(), path, n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		return Set(v.Index(0), path, n)
	case reflect.Struct:
		return Set(v.FieldByName(path[0]), path[1:], n)
	case reflect.Bool:
		v.SetBool(true)
		return "" // it is told in words
	case reflect.String:
		v.SetString(fmt.Sprint("value-", n))
		return v.String()
	}
	v.SetUint(uint64(n))
	return fmt.Sprint(n)
}
