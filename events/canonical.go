package events

import (
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// A canonical decoder reads what [MarshalJSON] writes, in one pass and nothing
// else: the members of a type in its order, each there unless it is left out when
// empty, one spelling of each number and text. An element of a list is read whole
// before the next, so what is decoded stays in proportion to what is read: a list
// of five million {} ends at the first.
//
// It reads structs, lists, maps with text keys, texts, bytes, integers, booleans,
// pointers, and whatever marshals itself to text. A list, a map or bytes that are
// not there at all are null, as encoding/json writes them: who needs one asks.
type canonical struct {
	b     []byte
	at    int
	depth int
}

// No document of ours is nested deeper, or has a longer list of texts, which take
// many times the room of their JSON when they are short.
const (
	maxJSONNesting = 32
	maxJSONTexts   = 4096
)

func (c *canonical) fail() bool { c.at = len(c.b) + 1; return false }

// take reads exactly the given text.
func (c *canonical) take(text string) bool {
	if c.at <= len(c.b) && strings.HasPrefix(string(c.b[c.at:min(len(c.b), c.at+len(text))]), text) {
		c.at += len(text)
		return true
	}
	return false
}

func (c *canonical) peek() byte {
	if c.at < len(c.b) {
		return c.b[c.at]
	}
	return 0
}

// member is one member of a struct.
type member struct {
	name      string // as it is written: "name":
	index     []int
	omitEmpty bool
	omitZero  bool
}

var memberCache sync.Map // reflect.Type to []member

// members lists the members of a struct in the order in which they are written;
// those of an embedded struct stand in its place.
func members(t reflect.Type) []member {
	if known, ok := memberCache.Load(t); ok {
		return known.([]member)
	}
	var all []member
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			for _, m := range members(f.Type) {
				m.index = append([]int{i}, m.index...)
				all = append(all, m)
			}
		case name == "-" || !f.IsExported():
		case name == "":
			panic("events: " + t.String() + "." + f.Name + " has no name in JSON")
		default:
			all = append(all, member{
				name: `"` + name + `":`, index: []int{i},
				omitEmpty: slices.Contains(strings.Split(options, ","), "omitempty"),
				omitZero:  slices.Contains(strings.Split(options, ","), "omitzero"),
			})
		}
	}
	memberCache.Store(t, all)
	return all
}

var textType = reflect.TypeFor[encoding.TextUnmarshaler]()

func (c *canonical) value(v reflect.Value) bool {
	if v.CanAddr() && v.Addr().Type().Implements(textType) && v.Kind() != reflect.Pointer {
		return c.marshaled(v)
	}
	switch v.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer:
		if c.take("null") {
			v.SetZero()
			return true
		}
	}
	switch v.Kind() {
	case reflect.Struct:
		return c.object(v)
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return c.bytes(v)
		}
		return c.list(v)
	case reflect.Map:
		return c.dictionary(v)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		return c.value(v.Elem())
	case reflect.String:
		s, ok := c.text()
		v.SetString(s)
		return ok
	case reflect.Bool:
		v.SetBool(c.peek() == 't')
		return c.take("true") || c.take("false")
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Int, reflect.Int64:
		return c.integer(v)
	}
	panic("events: no canonical JSON of " + v.Type().String())
}

func (c *canonical) nested(read func() bool) bool {
	if c.depth++; c.depth > maxJSONNesting {
		return c.fail()
	}
	defer func() { c.depth-- }()
	return read()
}

func (c *canonical) object(v reflect.Value) bool {
	return c.nested(func() bool {
		if !c.take("{") {
			return false
		}
		first := true
		for _, m := range members(v.Type()) {
			if !first && c.peek() == ',' && string(c.b[c.at+1:min(len(c.b), c.at+1+len(m.name))]) == m.name {
				c.at++
			} else if !first || !strings.HasPrefix(string(c.b[c.at:min(len(c.b), c.at+len(m.name))]), m.name) {
				if m.omitEmpty || m.omitZero {
					continue
				}
				return false
			}
			c.at += len(m.name)
			first = false
			field := v.FieldByIndex(m.index)
			if !c.value(field) || m.omitEmpty && empty(field) || m.omitZero && field.IsZero() {
				return false
			}
		}
		return c.take("}")
	})
}

// empty is what encoding/json leaves out under omitempty.
func empty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Array, reflect.Map, reflect.Slice, reflect.String:
		return v.Len() == 0
	case reflect.Struct:
		return false
	}
	return v.IsZero()
}

func (c *canonical) list(v reflect.Value) bool {
	return c.nested(func() bool {
		if !c.take("[") {
			return false
		}
		v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		if c.take("]") {
			return true
		}
		texts := v.Type().Elem().Kind() == reflect.String
		for n := 0; ; n++ {
			if texts && n == maxJSONTexts {
				return c.fail()
			}
			v.Grow(1)
			v.SetLen(n + 1)
			if !c.value(v.Index(n)) {
				return false
			}
			if !c.take(",") {
				return c.take("]")
			}
		}
	})
}

// dictionary reads a map, whose keys are sorted by their bytes.
func (c *canonical) dictionary(v reflect.Value) bool {
	return c.nested(func() bool {
		if !c.take("{") {
			return false
		}
		v.Set(reflect.MakeMap(v.Type()))
		if c.take("}") {
			return true
		}
		last, first := "", true
		for {
			key, ok := c.text()
			if !ok || !first && key <= last || !c.take(":") {
				return false
			}
			last, first = key, false
			value := reflect.New(v.Type().Elem()).Elem()
			if !c.value(value) {
				return false
			}
			v.SetMapIndex(reflect.ValueOf(key), value)
			if !c.take(",") {
				return c.take("}")
			}
		}
	})
}

// integer reads an integer that fits its type.
func (c *canonical) integer(v reflect.Value) bool {
	end := c.at
	for end < len(c.b) && (c.b[end] >= '0' && c.b[end] <= '9' || c.b[end] == '-') {
		end++
	}
	if c.at > len(c.b) {
		return false
	}
	digits := string(c.b[c.at:end])
	c.at = end
	if v.CanInt() {
		n, err := strconv.ParseInt(digits, 10, v.Type().Bits())
		v.SetInt(n)
		return err == nil && strconv.FormatInt(n, 10) == digits
	}
	n, err := strconv.ParseUint(digits, 10, v.Type().Bits())
	v.SetUint(n)
	return err == nil && strconv.FormatUint(n, 10) == digits
}

// quoted returns what stands between quotes, if it holds no escape.
func (c *canonical) quoted() ([]byte, bool) {
	if !c.take(`"`) {
		return nil, false
	}
	for end := c.at; end < len(c.b); end++ {
		switch c.b[end] {
		case '\\':
			return nil, false
		case '"':
			text := c.b[c.at:end]
			c.at = end + 1
			return text, true
		}
	}
	return nil, false
}

func (c *canonical) bytes(v reflect.Value) bool {
	text, ok := c.quoted()
	if !ok {
		return false
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(make([]byte, 0, base64.StdEncoding.DecodedLen(len(text))), text)
	// The decoder skips line breaks, which are no canonical JSON either.
	if err != nil || base64.StdEncoding.EncodedLen(len(raw)) != len(text) {
		return false
	}
	v.SetBytes(raw)
	return true
}

// marshaled reads the text of a type that marshals itself: it accepts one spelling,
// which never needs an escape.
func (c *canonical) marshaled(v reflect.Value) bool {
	text, ok := c.quoted()
	return ok && v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(text) == nil
}

// text reads a string in the spelling of encoding/json.
func (c *canonical) text() (string, bool) {
	start := c.at
	if !c.take(`"`) {
		return "", false
	}
	plain := true
	for ; c.at < len(c.b) && c.b[c.at] != '"'; c.at++ {
		if c.b[c.at] == '\\' {
			plain = false
			c.at++
		} else if c.b[c.at] < ' ' {
			return "", false
		}
	}
	if !c.take(`"`) {
		return "", false
	}
	raw := c.b[start:c.at]
	inner := raw[1 : len(raw)-1]
	if !utf8.Valid(inner) {
		return "", false
	}
	if plain && !strings.ContainsAny(string(inner), "\u2028\u2029") {
		return string(inner), true
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return "", false
	}
	again, err := MarshalJSON(s)
	return s, err == nil && string(again) == string(raw)
}
