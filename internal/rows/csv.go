package rows

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/sharetrail/sharetrail/events"
)

// maxRowLines is over how many lines a quoted cell may go before the quote is
// taken for one that was never closed.
const maxRowLines = 100

// CSV reads a CSV file (RFC 4180) whose first row names its columns. An error is
// yielded alone, before the first row, if the mapping does not fit the file, or
// as the last if reading fails.
func CSV(r io.Reader, m *Mapping) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		in := &records{lines: newReader(r), delimiter: ','}
		if d, size := utf8.DecodeRuneInString(m.Delimiter); m.Delimiter != "" {
			if in.delimiter = d; size != len(m.Delimiter) {
				yield(Row{}, fmt.Errorf("delimiter: must be one character, such as ; or a tab"))
				return
			}
		}
		header, _, bad, ok := in.next()
		if err := in.lines.failed(); err != nil || !ok || bad != nil {
			yield(Row{}, fmt.Errorf("reading the header row: the file has none that is CSV; put the names of the columns into its first line"))
			return
		}
		p, err := m.plan(header)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for {
			cells, line, bad, ok := in.next()
			if !ok {
				break
			}
			row := Row{Line: line, Err: bad}
			if bad == nil {
				row = p.row(line, cells)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := in.lines.failed(); err != nil {
			yield(Row{}, err)
		}
	}
}

// records splits lines into records. encoding/csv by itself would swallow the
// rest of the file after a quote that is never closed; here such a line is
// refused alone, and the next one begins a new record.
type records struct {
	lines     *reader
	delimiter rune
	back      []numbered // lines to be read again
}

type numbered struct {
	text []byte
	line int
	long bool
}

func (r *records) line() (numbered, bool) {
	if len(r.back) > 0 {
		n := r.back[0]
		r.back = r.back[1:]
		return n, true
	}
	text, long, ok := r.lines.next()
	return numbered{text, r.lines.line, long}, ok
}

func (r *records) next() (cells []string, line int, bad *events.FieldError, ok bool) {
	first, ok := r.line()
	for ok && len(first.text) == 0 {
		first, ok = r.line()
	}
	if !ok {
		return nil, 0, nil, false
	}
	if first.long {
		return nil, first.line, errTooLong(), true
	}
	whole, more := bytes.Clone(first.text), []numbered(nil)
	for bytes.Count(whole, []byte(`"`))%2 == 1 {
		n, ok := r.line()
		if ok {
			more = append(more, n)
			whole = append(append(whole, '\n'), n.text...)
		}
		if !ok || n.long || len(more) >= maxRowLines || len(whole) > MaxBytes {
			r.back = append(more, r.back...)
			return nil, first.line, &events.FieldError{Field: "row", Rule: "opens a quotation mark that is not closed",
				Next: `close it, or write "" for a quotation mark inside quoted text`}, true
		}
	}
	parser := csv.NewReader(bytes.NewReader(whole))
	parser.Comma = r.delimiter
	parser.FieldsPerRecord = -1
	cells, err := parser.Read()
	if err != nil {
		return nil, first.line, &events.FieldError{Field: "row", Rule: "must be CSV: a quotation mark stands inside a cell",
			Next: `put the cell into quotation marks and write "" for the one inside`}, true
	}
	return cells, first.line, nil, true
}

func (p *plan) row(line int, cells []string) Row {
	row := Row{Line: line}
	if len(cells) != len(p.fields) {
		row.Err = &events.FieldError{Field: "row", Rule: fmt.Sprintf("has %d cells, the header has %d", len(cells), len(p.fields)),
			Next: "put cells that hold the delimiter into quotation marks"}
		return row
	}
	values := map[string]string{}
	for field, v := range p.Constants {
		values[field] = v
	}
	for i, cell := range cells {
		if !utf8.ValidString(cell) {
			row.Err = &events.FieldError{Field: "row", Rule: fmt.Sprintf("must be UTF-8, which cell %d is not", i+1), Next: "save the file as UTF-8"}
			return row
		}
		if p.key == i {
			row.Key = strings.TrimSpace(cell)
		}
		if field := p.fields[i]; field != "" && strings.TrimSpace(cell) != "" {
			values[field] = strings.TrimSpace(cell)
		}
	}
	if p.key >= 0 && row.Key == "" {
		row.Err = &events.FieldError{Field: p.Key, Rule: "must hold the row's key", Next: "give each row one of its own"}
		return row
	}
	share, bad := p.share(values)
	if bad == nil {
		var err error
		if row.Share, err = json.Marshal(share); err != nil {
			bad = &events.FieldError{Field: "row", Rule: "cannot be a share", Next: "correct it"}
		}
	}
	row.Err = bad
	return row
}
