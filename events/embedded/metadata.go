package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// The metadata of a stream x are the last event of its metastream $$x.
const (
	metaPrefix = "$$"
	kindMeta   = "$metadata"
	keyBefore  = "$tb"
	jsonType   = "application/json"
	octetType  = "application/octet-stream"

	// wholeStream as $tb hides every event there is: that is what deleting a
	// stream writes.
	wholeStream = math.MaxInt64
)

func isMetastream(name string) bool      { return strings.HasPrefix(name, metaPrefix) }
func metastreamOf(name string) string    { return metaPrefix + name }
func describedStream(name string) string { return strings.TrimPrefix(name, metaPrefix) }

// limits is what the metadata of a stream hide from its readers. The hidden
// events stay in the file and in $all.
type limits struct {
	before   int64         // $tb: the first revision that is shown
	maxCount int64         // $maxCount: 0 for any number
	maxAge   time.Duration // $maxAge: 0 for any age
}

// metastreamLimits are those of every metastream: the last event counts.
var metastreamLimits = limits{maxCount: 1}

// deleted reports whether the stream is deleted without a tombstone.
func (l limits) deleted() bool { return l.before == wholeStream }

// expired reports whether an event of a time is too old to be shown.
func (l limits) expired(created int64, now time.Time) bool {
	return l.maxAge > 0 && created < now.Add(-l.maxAge).UnixNano()/100
}

// first is the first revision that readers see, which may lie behind the head.
func (l limits) first(head int64) int64 {
	first := l.before
	if l.maxCount > 0 {
		first = max(first, head-l.maxCount+1)
	}
	return max(first, 0)
}

// parseLimits reads stream metadata. What is no JSON object limits nothing, and
// neither does a value that is no positive number: the server stores metadata
// as they come.
func parseLimits(data []byte) limits {
	var fields map[string]json.RawMessage
	if json.Unmarshal(data, &fields) != nil {
		return limits{}
	}
	number := func(key string) int64 {
		n, err := strconv.ParseInt(string(fields[key]), 10, 64)
		if err != nil || n < 0 {
			return 0
		}
		return n
	}
	age := min(number("$maxAge"), math.MaxInt64/int64(time.Second))
	return limits{before: number(keyBefore), maxCount: number("$maxCount"), maxAge: time.Duration(age) * time.Second}
}

// withBefore returns metadata with another $tb and every other field as it was.
func withBefore(data []byte, before int64) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		fields = map[string]json.RawMessage{} // no JSON object: there was nothing to keep
	}
	fields[keyBefore] = strconv.AppendInt(nil, before, 10)
	return json.Marshal(fields)
}

func isObject(data []byte) bool {
	return json.Valid(data) && bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("{"))
}

// truncate appends metadata to the metastream of a stream that differ from the
// present ones in $tb alone.
func (t *transaction) truncate(ctx context.Context, name string, before int64) error {
	meta, err := t.place(ctx, metastreamOf(name))
	if err != nil {
		return err
	}
	data := []byte("{}")
	if meta.head >= 0 {
		const query = `SELECT data FROM events WHERE stream = ? AND revision = ?`
		if err := t.tx.QueryRowContext(ctx, query, meta.id, meta.head).Scan(&data); err != nil {
			return fmt.Errorf("reading the metadata of %s: %w", name, err)
		}
	}
	if data, err = withBefore(data, before); err != nil {
		return fmt.Errorf("writing the metadata of %s: %w", name, err)
	}
	return t.add(ctx, meta, []event{{id: uuid.New(), kind: kindMeta, contentType: jsonType, data: data, metadata: []byte{}}})
}
