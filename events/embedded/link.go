package embedded

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// kindLink is the type of an event that points to another: its data is
// "revision@stream".
const kindLink = "$>"

// link returns the data that point to an event.
func link(e *event) []byte { return fmt.Appendf(nil, "%d@%s", e.revision, e.stream) }

// parseLink is the inverse of link.
func parseLink(data []byte) (stream string, revision int64, ok bool) {
	number, stream, ok := strings.Cut(string(data), "@")
	revision, err := strconv.ParseInt(number, 10, 64)
	return stream, revision, ok && err == nil && revision >= 0
}

// follow returns the event that a link points to, or nil if its readers cannot
// see it: the stream is deleted or truncated, or the link is none.
func (j *journal) follow(ctx context.Context, e *event) (*event, error) {
	name, revision, ok := parseLink(e.data)
	if !ok {
		return nil, nil
	}
	at, err := j.heads.look(ctx, name)
	if err != nil {
		return nil, err
	}
	if at.tombstone || at.limits.deleted() || revision > at.head || revision < at.limits.first(at.head) {
		return nil, nil
	}
	page, err := j.file.page(ctx, at.id, revision, revision, 1)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, missing(name, revision)
	}
	return &page[0], nil
}
