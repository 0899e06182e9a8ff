package embedded

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/google/uuid"
)

const (
	// MaxAppendBytes is the most that one append may hold, all its events
	// together: the default of the real server up to 24.10. An event counts
	// with its data, its metadata and two bytes for each byte of its type.
	MaxAppendBytes = 1 << 20

	// A page is what one query brings into memory.
	pageEvents = 256
	pageBytes  = 4 << 20
)

// event is one row of the events table, with the name of its stream.
type event struct {
	position    int64 // in $all, from 1
	revision    int64 // in its stream, from 0
	id          uuid.UUID
	kind        string
	contentType string
	created     int64 // ticks of 100 ns since 1970
	data        []byte
	metadata    []byte
	stream      string
}

func (e *event) size() int { return len(e.data) + len(e.metadata) + 2*len(e.kind) }

// page reads the events first..last of a stream in ascending order, at most
// limit and as many as fit into one page. It returns none only if there are
// none.
func (f *file) page(ctx context.Context, stream, first, last, limit int64) ([]event, error) {
	return query(ctx, f.forwards, limit, stream, first, last)
}

// pageBack is page in descending order, beginning at last.
func (f *file) pageBack(ctx context.Context, stream, first, last, limit int64) ([]event, error) {
	return query(ctx, f.backwards, limit, stream, first, last)
}

// allPage is page over the positions of $all.
func (f *file) allPage(ctx context.Context, first, last, limit int64) ([]event, error) {
	return query(ctx, f.allForwards, limit, first, last)
}

// allPageBack is allPage in descending order, beginning at last.
func (f *file) allPageBack(ctx context.Context, first, last, limit int64) ([]event, error) {
	return query(ctx, f.allBackwards, limit, first, last)
}

// storedType is a content type as it is written: nothing for what nearly all events
// have. A share and its columns then fit seven times into a page, not six.
func storedType(contentType string) string {
	if contentType == octetType {
		return ""
	}
	return contentType
}

func query(ctx context.Context, stmt *sql.Stmt, limit int64, args ...any) ([]event, error) {
	rows, err := stmt.QueryContext(ctx, append(args, min(limit, pageEvents))...)
	if err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	defer rows.Close()
	var (
		page []event
		size int
	)
	for size < pageBytes && rows.Next() {
		var e event
		var id []byte
		if err := rows.Scan(&e.position, &e.revision, &id, &e.kind, &e.contentType, &e.created, &e.data, &e.metadata, &e.stream); err != nil {
			return nil, fmt.Errorf("reading events: %w", err)
		}
		if e.id, err = uuid.FromBytes(id); err != nil {
			return nil, fmt.Errorf("reading event %d: %w", e.position, err)
		}
		if e.contentType == "" {
			e.contentType = octetType
		}
		page = append(page, e)
		size += e.size()
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("reading events: %w", err)
	}
	return page, nil
}
