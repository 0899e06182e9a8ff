package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/sharetrail/sharetrail/events"
)

// maxDepth is how deep the members of a document may nest; shares need five.
const maxDepth = 16

// CheckJSON reports why a document could mean two things or nothing: it is no
// JSON, not UTF-8 (which decoders silently replace), nested too deep, or names a
// member twice (of which decoders silently take one). Errors are
// *events.FieldErrors; they name members, never values.
func CheckJSON(b []byte) error {
	if !utf8.Valid(b) {
		return &events.FieldError{Field: "body", Rule: "must be UTF-8", Next: "send the text in UTF-8"}
	}
	if !json.Valid(b) {
		var ignored any
		err := json.Unmarshal(b, &ignored)
		return &events.FieldError{Field: "body", Rule: "must be JSON: " + whereInvalid(b, err), Next: "correct it there"}
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	return checkValue(dec, "", 0)
}

// whereInvalid says where a document stops being JSON without quoting it.
func whereInvalid(b []byte, err error) string {
	if syntax, ok := err.(*json.SyntaxError); ok && syntax.Offset <= int64(len(b)) {
		before := b[:max(syntax.Offset-1, 0)]
		line := bytes.Count(before, []byte("\n")) + 1
		return fmt.Sprintf("it is not from line %d, byte %d on", line, len(before)-bytes.LastIndexByte(before, '\n'))
	}
	return "it ends too early"
}

func checkValue(dec *json.Decoder, path string, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return &events.FieldError{Field: orBody(path), Rule: "must be JSON", Next: "correct it"}
	}
	open, isDelim := token.(json.Delim)
	if !isDelim {
		return nil
	}
	if depth == maxDepth {
		return &events.FieldError{Field: orBody(path), Rule: fmt.Sprintf("is nested more than %d deep", maxDepth), Next: "send the documented shape"}
	}
	seen := map[string]bool{}
	for i := 0; dec.More(); i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		if open == '{' {
			token, err := dec.Token()
			name, ok := token.(string)
			if err != nil || !ok {
				return &events.FieldError{Field: orBody(path), Rule: "must be JSON", Next: "correct it"}
			}
			if at = strings.TrimPrefix(path+"."+name, "."); seen[name] {
				return &events.FieldError{Field: at, Rule: "appears twice", Next: "keep one of the two"}
			}
			seen[name] = true
		}
		if err := checkValue(dec, at, depth+1); err != nil {
			return err
		}
	}
	_, err = dec.Token() // the closing one
	return err
}

func orBody(path string) string {
	if path == "" {
		return "body"
	}
	return path
}

// shape decodes one strict JSON document of a schema.
func (s *server) shape(raw []byte, schema *huma.Schema, v any) *Problem {
	if err := CheckJSON(raw); err != nil {
		return newProblem(http.StatusBadRequest, "", FieldProblem(*err.(*events.FieldError)))
	}
	var parsed any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return newProblem(http.StatusBadRequest, "the body must be JSON; correct it")
	}
	path := huma.NewPathBuffer([]byte("body"), len("body"))
	var result huma.ValidateResult
	huma.Validate(s.schemas, schema, path, huma.ModeWriteToServer, parsed, &result)
	var fields []FieldProblem
	for _, err := range result.Errors {
		if said, ok := err.(*huma.ErrorDetail); ok {
			fields = append(fields, fieldProblem(said))
		}
	}
	// Members come out of a map: one request always gets one answer.
	slices.SortFunc(fields, func(a, b FieldProblem) int { return strings.Compare(a.Field+a.Rule, b.Field+b.Rule) })
	if len(fields) == 0 {
		if err := json.Unmarshal(raw, v); err != nil {
			fields = []FieldProblem{{"body", "has a value out of range", "send values of the documented kinds"}}
		}
	}
	if len(fields) > 0 {
		return newProblem(http.StatusUnprocessableEntity, "", fields...)
	}
	return nil
}

// mediaType demands one of the types that an operation takes.
func mediaType(header string, allowed ...string) *Problem {
	given, _, err := mime.ParseMediaType(header)
	if err == nil && slices.Contains(allowed, given) {
		return nil
	}
	return newProblem(http.StatusUnsupportedMediaType, "",
		FieldProblem{"Content-Type", "is not what this operation takes", "send " + strings.Join(allowed, " or ")})
}
