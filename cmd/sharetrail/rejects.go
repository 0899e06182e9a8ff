package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// rejects is the file of refused rows, made with the first of them. It names
// lines and rules, and repeats no content of the rows but words that are none of
// a field's values.
type rejects struct {
	path string
	file *os.File
	csv  *csv.Writer
	json *json.Encoder
}

// Rejected is a line of the file.
type Rejected struct {
	Row   int    `json:"row"`
	Field string `json:"field"`
	Rule  string `json:"rule"`
	Next  string `json:"next"`
}

func (r *rejects) open() (err error) {
	if r.file, err = os.OpenFile(r.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600); err != nil {
		return fmt.Errorf("writing the rejects: %w; name another file with --rejects", err)
	}
	if strings.HasSuffix(r.path, ".csv") {
		r.csv = csv.NewWriter(r.file)
		return r.csv.Write([]string{"row", "field", "rule", "next"})
	}
	r.json = json.NewEncoder(r.file)
	r.json.SetEscapeHTML(false)
	return nil
}

func (r *rejects) add(row int, e events.FieldError) error {
	if r.file == nil {
		if err := r.open(); err != nil {
			return err
		}
	}
	var err error
	if r.csv != nil {
		err = r.csv.Write([]string{strconv.Itoa(row), e.Field, e.Rule, e.Next})
	} else {
		err = r.json.Encode(Rejected{row, e.Field, e.Rule, e.Next})
	}
	if err != nil {
		return fmt.Errorf("writing the rejects: %w", err)
	}
	return nil
}

func (r *rejects) close() error {
	if r.file == nil {
		return nil
	}
	var err error
	if r.csv != nil {
		r.csv.Flush()
		err = r.csv.Error()
	}
	if err = errors.Join(err, r.file.Close()); err != nil {
		return fmt.Errorf("writing the rejects: %w", err)
	}
	return nil
}
