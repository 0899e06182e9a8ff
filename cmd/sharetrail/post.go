package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/api"
)

// postFlags are those of a verb that records something by one request.
type postFlags struct {
	dataFlags
	key, wait string
	asJSON    bool
}

func (f *postFlags) register(cmd *cobra.Command) {
	f.registerWaiting(cmd)
	cmd.Flags().StringVar(&f.key, "key", "", "idempotency key, one for each thing you record; made up if left out")
	cmd.Flags().StringVar(&f.wait, "wait", "accepted", "what to wait for: accepted or published")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "answer in JSON")
}

// post records a body and shows where it is.
func (f *postFlags) post(cmd *cobra.Command, path string, body any) error {
	if f.key == "" {
		f.key = uuid.NewString()
	}
	return f.withServer(cmd.Context(), func(ctx context.Context, c *api.Client) error {
		p, err := c.Post(ctx, path, f.key, f.wait, body)
		if err != nil {
			return err
		}
		return showPosition(cmd.OutOrStdout(), p, f.key, f.asJSON)
	})
}

// recordPath is the path of an operation on a record.
func recordPath(collection, id, operation string) string {
	return "/v1/" + collection + "/" + url.PathEscape(id) + "/" + operation
}

// showPosition prints where what was recorded is.
func showPosition(out io.Writer, p api.Position, key string, asJSON bool) error {
	if asJSON {
		return printJSON(out, struct {
			api.Position
			Key string `json:"key"`
		}{p, key})
	}
	word := p.State
	if p.Repeat {
		word = "known, " + word
	}
	if _, err := fmt.Fprintf(out, "%s: leaf %d\nid  %s\nkey %s\n", word, p.Index, p.ID, key); err != nil {
		return err
	}
	if p.Parts != nil {
		if _, err := fmt.Fprintf(out, "and %d continuations for its people\n", p.Parts.Recorded); err != nil {
			return err
		}
	}
	for _, at := range p.Also {
		if _, err := fmt.Fprintf(out, "and leaf %d\nid  %s\n", at.Index, at.ID); err != nil {
			return err
		}
	}
	return nil
}

// instant is a time that was given, a day, or now.
func instant(given string) string {
	switch len(given) {
	case 0:
		return time.Now().UTC().Format(time.RFC3339)
	case len(time.DateOnly):
		return given + "T00:00:00Z"
	}
	return given
}

// patch makes a JSON merge patch of assignments such as data.categories=["name"].
// A value that is no JSON is a text.
func patch(assignments []string) (map[string]any, error) {
	whole := map[string]any{}
	for _, a := range assignments {
		path, text, ok := strings.Cut(a, "=")
		if !ok || path == "" {
			return nil, &events.FieldError{Field: "--set", Rule: "must be MEMBER=VALUE", Next: `write it like recipient.country=IE or 'data.categories=["name"]'`}
		}
		var value any
		if json.Unmarshal([]byte(text), &value) != nil {
			value = text
		}
		at, names := whole, strings.Split(path, ".")
		for _, name := range names[:len(names)-1] {
			inner, ok := at[name].(map[string]any)
			if !ok {
				inner = map[string]any{}
				at[name] = inner
			}
			at = inner
		}
		at[names[len(names)-1]] = value
	}
	return whole, nil
}

// readPatch reads a merge patch from stdin.
func readPatch(in io.Reader) (map[string]any, error) {
	b, err := io.ReadAll(io.LimitReader(in, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("reading the changes: %w", err)
	}
	if err := api.CheckJSON(b); err != nil {
		return nil, err
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		return nil, &events.FieldError{Field: "changes", Rule: "must be a JSON object of what is different", Next: `send one such as {"data": {"categories": ["name"]}}`}
	}
	return whole, nil
}
