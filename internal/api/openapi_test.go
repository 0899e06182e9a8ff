package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/api"
)

var update = flag.Bool("update", false, "write docs/openapi.json")

// TestOpenAPIFile: what is in docs is what is served. go test ./internal/api
// -update writes it.
func TestOpenAPIFile(t *testing.T) {
	doc, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc = append(doc, '\n')
	const path = "../../docs/openapi.json"
	if *update {
		if err := os.WriteFile(path, doc, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(have, doc) {
		t.Errorf("%s is not what is served (%v): run go test ./internal/api -update", path, err)
	}
}

type operation struct {
	OperationID string `json:"operationId"`
	Summary     string
	Description string
	Tags        []string
	Parameters  []struct{ Name, Description string }
	RequestBody *struct {
		Content map[string]struct{ Schema map[string]any }
	}
	Responses map[string]struct {
		Description string
		Content     map[string]struct{ Schema map[string]any }
	}
}

// TestOpenAPILint: every operation explains itself, its parameters and its
// errors, and what it takes has a schema.
func TestOpenAPILint(t *testing.T) {
	raw, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		OpenAPI string
		Info    struct{ Title, Version, Description string }
		Paths   map[string]map[string]operation
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1.") || doc.Info.Version != api.Version || doc.Info.Description == "" {
		t.Errorf("OpenAPI %s, %+v", doc.OpenAPI, doc.Info)
	}
	seen, n := map[string]bool{}, 0
	for path, operations := range doc.Paths {
		for method, op := range operations {
			n++
			name := method + " " + path
			if op.OperationID == "" || seen[op.OperationID] {
				t.Errorf("%s: operation id %q is empty or used twice", name, op.OperationID)
			}
			seen[op.OperationID] = true
			if op.Summary == "" || op.Description == "" || len(op.Tags) != 1 {
				t.Errorf("%s: summary %q, description %q, tags %q", name, op.Summary, op.Description, op.Tags)
			}
			lint(t, name, method, op)
		}
	}
	if n < 12 {
		t.Errorf("%d operations", n)
	}
}

func lint(t *testing.T, name, method string, op operation) {
	for _, p := range op.Parameters {
		if p.Description == "" {
			t.Errorf("%s: parameter %s has no description", name, p.Name)
		}
	}
	errors, good := 0, 0
	for status, r := range op.Responses {
		if r.Description == "" {
			t.Errorf("%s: %s has no description", name, status)
		}
		if status[0] == '2' {
			good++
			continue
		}
		errors++
		if _, ok := r.Content["application/problem+json"]; !ok {
			t.Errorf("%s: %s is not a problem document", name, status)
		}
	}
	if good != 1 || errors == 0 || op.Responses["500"].Description == "" {
		t.Errorf("%s: %d good answers, %d errors", name, good, errors)
	}
	if method != "post" {
		return
	}
	for _, status := range []string{"400", "413", "415", "422"} {
		if _, ok := op.Responses[status]; !ok {
			t.Errorf("%s: %s is not documented", name, status)
		}
	}
	if op.RequestBody == nil {
		t.Errorf("%s: takes no body", name)
		return
	}
	for ct, c := range op.RequestBody.Content {
		if c.Schema["$ref"] == nil {
			t.Errorf("%s: the body %s has no schema", name, ct)
		}
	}
}
