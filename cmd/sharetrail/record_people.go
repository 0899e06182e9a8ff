package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/sharetrail/sharetrail/internal/api"
	"github.com/sharetrail/sharetrail/ledger/decide"
)

// recordPeople records a share with the people of a file, which is sent as it is
// read.
func (f *recordFlags) recordPeople(ctx context.Context, c *api.Client, stdin io.Reader, share json.RawMessage) (api.Position, error) {
	in := stdin
	if f.people != "-" {
		file, err := os.Open(f.people)
		if err != nil {
			return api.Position{}, fmt.Errorf("reading the people: %w", err)
		}
		defer file.Close()
		in = file
	}
	alone, err := withoutPeople(share)
	if err != nil {
		return api.Position{}, err
	}
	out, to := io.Pipe()
	go func() { to.CloseWithError(sendPeople(to, alone, in)) }()
	defer out.Close() // ends the goroutine if the server stopped reading
	watching, done := context.WithCancel(ctx)
	shown := make(chan struct{})
	go func() { defer close(shown); watchParts(watching, c) }()
	p, err := c.RecordPeople(ctx, f.key, f.wait, out)
	done()
	<-shown
	if problem := (*api.ProblemError)(nil); err != nil && !errors.As(err, &problem) {
		err = fmt.Errorf("%w; the same command goes on where it was with %s", err, f.again())
	}
	return p, err
}

// again are the flags that make a repeated command the same one.
func (f *recordFlags) again() string {
	flags := "--key " + f.key
	if at := f.share.Occurred.At; at != "" {
		flags += " --at " + at
	}
	return flags
}

// withoutPeople makes one line of a share whose people come behind it.
func withoutPeople(share json.RawMessage) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(share, &members); err != nil {
		return nil, fmt.Errorf("reading the share: %w", err)
	}
	if s := members["subjects"]; string(bytes.TrimSpace(s)) == "[]" {
		delete(members, "subjects")
	}
	return json.Marshal(members)
}

func sendPeople(out io.Writer, share []byte, in io.Reader) error {
	w := bufio.NewWriter(out)
	w.Write(append(share, '\n')) // an error stays until Flush
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := bytes.TrimSpace(lines.Bytes())
		switch {
		case len(line) == 0:
			continue
		case line[0] != '{':
			person, err := json.Marshal(decide.Subject{ID: string(line)})
			if err != nil {
				return err
			}
			line = person
		}
		w.Write(append(line, '\n'))
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("reading the people: %w", err)
	}
	return w.Flush()
}

// watchParts shows how many continuations are recorded, until ctx ends.
func watchParts(ctx context.Context, c *api.Client) {
	var bar *progressbar.ProgressBar // once it is known of how many
	defer func() {
		if bar != nil {
			bar.Exit()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		status, err := c.Status(ctx)
		if err != nil {
			continue // it is only shown
		}
		for _, r := range status.Open {
			if r.Active {
				if bar == nil {
					bar = newBar(int64(r.Of), "recording", "parts")
				}
				bar.Set64(int64(r.Parts)) // a terminal that is gone is no error
			}
		}
	}
}
