package rows

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Mapping says what the columns of a CSV file mean. Its JSON form is the mapping
// file. A column whose header is a field's path already needs no entry.
type Mapping struct {
	// Columns gives columns their fields: header -> path, such as
	// "Vendor": "recipient.legal_name".
	Columns map[string]string `json:"columns,omitempty"`

	// Constants are fields that are the same in every row, such as
	// "promise.statement": "privacy-statement/2017-01". Lists are separated as
	// in cells. A cell that is not empty goes before the constant.
	Constants map[string]string `json:"constants,omitempty"`

	// Values replaces cells, by field: "reasons": {"Card payment": "complete_transaction"}.
	Values map[string]map[string]string `json:"values,omitempty"`

	// Prefixes are put in front of values, by field: "subjects.id": "email:".
	Prefixes map[string]string `json:"prefixes,omitempty"`

	// Ignore names columns that are left out on purpose. Any other column that
	// has no field is refused.
	Ignore []string `json:"ignore,omitempty"`

	// Key names the column that identifies a row, for ever and in every file. It
	// becomes the idempotency key.
	Key string `json:"key,omitempty"`

	// Time is the layout of occurred.at in Go's notation, such as "02.01.2006" or
	// "2006-01-02 15:04"; without it RFC 3339 or 2006-01-02 is expected. A layout
	// without hours sets the precision to day, one without days to month.
	Time string `json:"time,omitempty"`

	// Zone is the time zone of times that name none, such as "Europe/Berlin".
	// Default UTC.
	Zone string `json:"zone,omitempty"`

	Separator string `json:"separator,omitempty"` // of lists in a cell; default ";"
	Delimiter string `json:"delimiter,omitempty"` // of columns; default ","
}

// ParseMapping reads a mapping file.
func ParseMapping(b []byte) (*Mapping, error) {
	m := new(Mapping)
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("reading the mapping: %w", err)
	}
	return m, nil
}

// plan is a mapping that was checked against a file's header.
type plan struct {
	*Mapping
	fields []string // of each column, "" for none
	key    int      // column of the key, or -1
	zone   *time.Location
}

// plan demands that every column has a meaning, and every meaning a column.
func (m *Mapping) plan(header []string) (*plan, error) {
	p := &plan{Mapping: m, fields: make([]string, len(header)), key: -1}
	var err error
	if p.zone, err = time.LoadLocation(m.Zone); err != nil {
		return nil, fmt.Errorf("zone: %q is not a time zone; use one such as Europe/Berlin", m.Zone)
	}
	if err := m.checkFields(); err != nil {
		return nil, err
	}
	filled := map[string]string{}
	for i, column := range header {
		if slices.Contains(header[:i], column) {
			return nil, fmt.Errorf("column %q appears twice; rename one of the two", column)
		}
		if column == m.Key && column != "" {
			p.key = i
		}
		field, err := m.fieldOf(column)
		if err != nil {
			return nil, err
		}
		if other, twice := filled[field]; twice && field != "" {
			return nil, fmt.Errorf("columns %q and %q both are %s; ignore one of the two", other, column, field)
		}
		p.fields[i], filled[field] = field, column
	}
	for _, named := range append(slices.Sorted(maps.Keys(m.Columns)), m.Ignore...) {
		if !slices.Contains(header, named) {
			return nil, fmt.Errorf("the mapping names the column %q, which the file does not have; its columns are %s", named, strings.Join(header, ", "))
		}
	}
	if m.Key != "" && p.key < 0 {
		return nil, fmt.Errorf("the key column %q is not in the file; its columns are %s", m.Key, strings.Join(header, ", "))
	}
	return p, nil
}

func (m *Mapping) fieldOf(column string) (string, error) {
	if field, mapped := m.Columns[column]; mapped {
		return field, nil
	}
	if slices.Contains(m.Ignore, column) {
		return "", nil
	}
	if kinds[column] != 0 {
		return column, nil
	}
	if column == m.Key {
		return "", nil
	}
	hint := "map it to a field, or ignore it"
	if field := closest(column); field != "" {
		hint = fmt.Sprintf("map it (--map '%s=%s'?) or ignore it (--ignore '%s')", column, field, column)
	}
	return "", fmt.Errorf("column %q is no field of a share; %s", column, hint)
}

// checkFields demands that whatever names a field names one.
func (m *Mapping) checkFields() error {
	for what, names := range map[string][]string{
		"columns": slices.Collect(maps.Values(m.Columns)), "constants": slices.Collect(maps.Keys(m.Constants)),
		"values": slices.Collect(maps.Keys(m.Values)), "prefixes": slices.Collect(maps.Keys(m.Prefixes)),
	} {
		slices.Sort(names)
		for _, name := range names {
			if kinds[name] != 0 {
				continue
			}
			hint := ""
			if field := closest(name); field != "" {
				hint = "; did you mean " + field + "?"
			}
			return fmt.Errorf("%s: %q is no field of a share%s", what, name, hint)
		}
	}
	return nil
}
