// Package rows reads shares out of foreign files: JSON Lines, and CSV under a
// mapping. A row is either a share as JSON or the reason why it is none; a bad
// row takes no other with it, and nothing is cut off, replaced or left out
// without saying so.
//
// What a share must fulfil is not checked here but where it is recorded; the
// rules live in one place.
package rows

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/sharetrail/sharetrail/events"
)

// MaxBytes is how long one row may be.
const MaxBytes = 1 << 20

// Row is one row of a file.
type Row struct {
	Line  int                // where it begins, from 1
	Key   string             // of the key column, if one is named
	Share json.RawMessage    // nil if Err is set
	Err   *events.FieldError // why it is no share
}

// reader yields lines with their numbers, the terminator off.
type reader struct {
	r    *bufio.Reader
	line int
	err  error // io.EOF at the end
}

func newReader(r io.Reader) *reader {
	b := bufio.NewReaderSize(r, 1<<16)
	if start, err := b.Peek(3); err == nil && bytes.Equal(start, []byte("\xef\xbb\xbf")) {
		b.Discard(3) // what spreadsheets put in front of UTF-8
	}
	return &reader{r: b}
}

// next returns a line, or ok false at the end or after an error. Of a line
// longer than MaxBytes only the beginning is kept, and long is set.
func (r *reader) next() (line []byte, long, ok bool) {
	if r.err != nil {
		return nil, false, false
	}
	for {
		part, err := r.r.ReadSlice('\n')
		if len(line) <= MaxBytes {
			line = append(line, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			if r.err = err; len(line) == 0 || !errors.Is(err, io.EOF) {
				return nil, false, false
			}
		}
		r.line++
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		return line, len(line) > MaxBytes, true
	}
}

// failed returns what ended the reading, if it was not the end of the file.
func (r *reader) failed() error {
	if r.err == nil || errors.Is(r.err, io.EOF) {
		return nil
	}
	return fmt.Errorf("reading after line %d: %w", r.line, r.err)
}

func errTooLong() *events.FieldError {
	return &events.FieldError{Field: "row", Rule: fmt.Sprintf("must have at most %d bytes", MaxBytes), Next: "shorten it, or split it"}
}

// JSONL reads JSON Lines. check is applied to every line first; its error must
// be an *events.FieldError. key, if it is not empty, names the member that holds
// each row's idempotency key; it is taken off the share. Empty lines are skipped.
func JSONL(r io.Reader, key string, check func([]byte) error) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		lines := newReader(r)
		for {
			line, long, ok := lines.next()
			if !ok {
				break
			}
			row := Row{Line: lines.line}
			switch {
			case long:
				row.Err = errTooLong()
			case len(bytes.TrimSpace(line)) == 0:
				continue
			default:
				row.parse(line, key, check)
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := lines.failed(); err != nil {
			yield(Row{}, err)
		}
	}
}

func (row *Row) parse(line []byte, key string, check func([]byte) error) {
	if err := check(line); err != nil {
		if !errors.As(err, &row.Err) {
			row.Err = &events.FieldError{Field: "row", Rule: "must be JSON", Next: "correct it"}
		}
		return
	}
	if key == "" {
		row.Share = line
		return
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(line, &members); err != nil {
		row.Err = &events.FieldError{Field: "row", Rule: "must be a JSON object", Next: "put one object on each line"}
		return
	}
	if json.Unmarshal(members[key], &row.Key) != nil || row.Key == "" {
		row.Err = &events.FieldError{Field: key, Rule: "must hold the row's key as a text", Next: "give each row one of its own"}
		return
	}
	delete(members, key)
	share, err := json.Marshal(members)
	if err != nil {
		row.Err = &events.FieldError{Field: "row", Rule: "must be JSON", Next: "correct it"}
		return
	}
	row.Share = share
}
