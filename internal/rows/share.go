package rows

import (
	"fmt"
	"strings"
	"time"

	"github.com/sharetrail/sharetrail/events"
)

// share builds the JSON of a share from the cells of a row, by field.
func (p *plan) share(values map[string]string) (map[string]any, *events.FieldError) {
	out := map[string]any{}
	people := map[string]string{}
	for field, cell := range values {
		switch kinds[field] {
		case text:
			set(out, field, p.value(field, cell))
		case list:
			set(out, field, p.split(field, cell))
		case perSubject:
			people[strings.TrimPrefix(field, "subjects.")] = cell
		}
	}
	if at, given := values["occurred.at"]; given {
		moment, precision, err := p.moment(at)
		if err != nil {
			return nil, err
		}
		set(out, "occurred.at", moment)
		if _, given := values["occurred.precision"]; !given && precision != "" {
			set(out, "occurred.precision", precision)
		}
	}
	subjects, err := p.subjects(people)
	out["subjects"] = subjects
	return out, err
}

// subjects makes one object for each id; what is said about them is one for all
// or one for each.
func (p *plan) subjects(people map[string]string) ([]map[string]any, *events.FieldError) {
	ids := p.split("subjects.id", people["id"])
	out := make([]map[string]any, len(ids))
	for i, id := range ids {
		out[i] = map[string]any{"id": id}
	}
	for name, cell := range people {
		if name == "id" {
			continue
		}
		field := "subjects." + name
		said := []string{p.value(field, cell)}
		if len(ids) > 1 { // about one person, the separator may well be a part of a sentence
			said = p.split(field, cell)
		}
		if len(said) != 1 && len(said) != len(ids) {
			return nil, &events.FieldError{Field: field, Rule: fmt.Sprintf("has %d values for %d subjects", len(said), len(ids)),
				Next: "give one for all, or one for each"}
		}
		for i := range out {
			out[i][name] = said[min(i, len(said)-1)]
		}
	}
	return out, nil
}

func (p *plan) separator() string {
	if p.Separator == "" {
		return ";"
	}
	return p.Separator
}

func (p *plan) split(field, cell string) []string {
	var out []string
	for part := range strings.SplitSeq(cell, p.separator()) {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, p.value(field, part))
		}
	}
	return out
}

func (p *plan) value(field, v string) string {
	if other, found := p.Values[field][v]; found {
		return other
	}
	return p.Prefixes[field] + v
}

// moment reads a time as the mapping says it is written.
func (p *plan) moment(cell string) (at, precision string, bad *events.FieldError) {
	layout := p.Time
	if layout == "" {
		if _, err := time.Parse(time.DateOnly, cell); err != nil {
			return cell, "", nil // RFC 3339, or refused with that rule
		}
		layout = time.DateOnly
	}
	t, err := time.ParseInLocation(layout, cell, p.zone)
	if err != nil {
		return "", "", &events.FieldError{Field: "occurred.at", Rule: fmt.Sprintf("is not written like %q", layout),
			Next: "correct it, or name the file's layout with time in the mapping"}
	}
	if tells(layout, time.Hour) {
		return t.UTC().Format(time.RFC3339), "", nil
	}
	// A day is that day's, wherever it was.
	date := t.Format(time.DateOnly) + "T00:00:00Z"
	if !tells(layout, 24*time.Hour) {
		return date, "month", nil
	}
	return date, "day", nil
}

// tells reports whether a layout tells times apart that are so far from each
// other.
func tells(layout string, apart time.Duration) bool {
	t := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	return t.Format(layout) != t.Add(apart).Format(layout)
}

// set puts a value at a path of nested objects.
func set(out map[string]any, path string, v any) {
	for {
		name, rest, nested := strings.Cut(path, ".")
		if !nested {
			out[name] = v
			return
		}
		inner, ok := out[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			out[name] = inner
		}
		out, path = inner, rest
	}
}
