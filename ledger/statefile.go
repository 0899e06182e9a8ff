package ledger

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/internal/sqlite"
)

// stateSchema holds the fold of the stream as runs of records (record.go), in
// the order of the stream. A run ends with a state leaf or with the next run's
// beginning; what a row says and how far it reaches are one row, so the position
// cannot differ from the content. Rows are only ever added at the right edge.
const stateSchema = `
CREATE TABLE run (
	first   INTEGER PRIMARY KEY,
	count   INTEGER NOT NULL,
	state   INTEGER NOT NULL, -- 1 if its last event is a state leaf
	records BLOB NOT NULL,    -- nonce and ciphertext: they tell which events are about which
	mac     BLOB NOT NULL     -- under a key derived from the ledger's secret
) STRICT;`

// maxRunBytes bounds one row; a run that grows longer goes on in the next.
const maxRunBytes = 1 << 20

// stateFile is state.db: what the writer knows, so that a start need not read
// the whole stream. It lags behind the stream and is never ahead of it; without
// it, or without its last rows, a start takes longer and that is all.
type stateFile struct {
	db   *sqlite.DB
	key  [32]byte
	veil cipher.AEAD
	log  *zap.Logger

	mu      sync.Mutex
	waiting []run         // not yet in the file
	flushed uint64        // where the file ends
	more    chan struct{} // capacity 1

	// Writer only.
	next uint64 // revision of the next event it takes
	open run    // in the making
}

type run struct {
	first, count uint64
	state        bool
	records      []byte
}

func openStateFile(ctx context.Context, path string, secrets *keystore.Secrets, log *zap.Logger) (*stateFile, error) {
	db, err := sqlite.Open(ctx, sqlite.Config{Path: path, Schema: stateSchema, Version: 1, Application: "shst"})
	if err != nil {
		return nil, err
	}
	derive := func(purpose string) []byte {
		mac := hmac.New(sha256.New, secrets.Ledger[:])
		mac.Write([]byte("sharetrail/v1/" + purpose + "\x00" + secrets.Log.Name()))
		return mac.Sum(nil)
	}
	veil, err := chacha20poly1305.NewX(derive("state records"))
	if err != nil {
		panic(err) // only for a wrong key length
	}
	return &stateFile{db: db, key: [32]byte(derive("state")), veil: veil, log: log, more: make(chan struct{}, 1)}, nil
}

// veiled is a run as it is stored. Once a person is erased, nothing but their key and
// this file could tell which of their events are about which.
func (f *stateFile) veiled(r run) run {
	nonce := make([]byte, f.veil.NonceSize(), f.veil.NonceSize()+len(r.records)+f.veil.Overhead())
	rand.Read(nonce)
	r.records = f.veil.Seal(nonce, nonce, r.records, nil)
	return r
}

// unveil is the inverse of veiled, for a run that was authenticated.
func (f *stateFile) unveil(r *run) (err error) {
	if n := f.veil.NonceSize(); len(r.records) >= n {
		r.records, err = f.veil.Open(nil, r.records[:n], r.records[n:], nil)
	} else {
		err = errRecord
	}
	return err
}

// mac binds a run's records to their place and to this ledger.
func (f *stateFile) mac(r run) []byte {
	h := hmac.New(sha256.New, f.key[:])
	var head [17]byte
	binary.BigEndian.PutUint64(head[:], r.first)
	binary.BigEndian.PutUint64(head[8:], r.count)
	if r.state {
		head[16] = 1
	}
	h.Write(head[:])
	h.Write(r.records)
	return h.Sum(nil)
}

// runs yields the runs that reach up to revision end, and no further, from the
// beginning and without a hole. A run that was changed is an error.
func (f *stateFile) runs(ctx context.Context, end uint64) iter.Seq2[run, error] {
	return func(yield func(run, error) bool) {
		rows, err := f.db.Read.QueryContext(ctx, "SELECT first, count, state, records, mac FROM run WHERE count <= ? AND first <= ? - count ORDER BY first", end, end)
		if err != nil {
			yield(run{}, fmt.Errorf("reading the state: %w", err))
			return
		}
		defer rows.Close()
		next := uint64(0)
		for rows.Next() {
			var r run
			var mac []byte
			if err = rows.Scan(&r.first, &r.count, &r.state, &r.records, &mac); err == nil && !hmac.Equal(mac, f.mac(r)) {
				err = errors.New("a run was changed")
			}
			if err == nil {
				err = f.unveil(&r)
			}
			if err == nil && r.first != next {
				err = fmt.Errorf("event %d is missing", next)
			}
			if err != nil {
				yield(run{}, fmt.Errorf("reading the state: %w", err))
				return
			}
			if next += r.count; !yield(r, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(run{}, fmt.Errorf("reading the state: %w", err))
		}
	}
}

// lastState returns the newest state leaf in the file whose index is below a
// size, and the file's position. The last run is authenticated: what it says of its
// own length must not make the event store look older than it is.
func (f *stateFile) lastState(ctx context.Context, size uint64) (index, position uint64, found bool, err error) {
	var last run
	var mac []byte
	err = f.db.Read.QueryRowContext(ctx, "SELECT first, count, state, records, mac FROM run ORDER BY first DESC LIMIT 1").
		Scan(&last.first, &last.count, &last.state, &last.records, &mac)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("reading the state: %w", err)
	}
	if !hmac.Equal(mac, f.mac(last)) {
		return 0, 0, false, fmt.Errorf("%w: its last run was changed", errUnusable)
	}
	var first, count uint64
	err = f.db.Read.QueryRowContext(ctx, `SELECT first, count FROM run
		WHERE state = 1 AND count <= ? AND first <= ? - count ORDER BY first DESC LIMIT 1`, size, size).Scan(&first, &count)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("reading the state: %w", err)
	}
	return first + count - 1, last.first + last.count, true, nil
}

// truncate drops the runs that reach beyond a position, where one begins: what
// follows is folded again from the stream, and written again.
func (f *stateFile) truncate(ctx context.Context, end uint64) error {
	if _, err := f.db.Write.ExecContext(ctx, "DELETE FROM run WHERE count > ? OR first > ? - count", end, end); err != nil {
		return fmt.Errorf("truncating the state: %w", err)
	}
	f.next, f.open = end, run{first: end}
	f.mu.Lock()
	f.waiting, f.flushed = nil, end
	f.mu.Unlock()
	return nil
}

// wants reports whether an event is the next one for the file. It may have it
// already. A nil file wants nothing.
func (f *stateFile) wants(revision uint64) bool { return f != nil && revision == f.next }

// take notes an event that was folded and is wanted.
func (f *stateFile) take(r record) {
	f.open.records = r.appendTo(f.open.records)
	f.open.count++
	f.next++
	f.open.state = r.kind() == events.KindState
	if !f.open.state && len(f.open.records) < maxRunBytes {
		return
	}
	f.mu.Lock()
	f.waiting = append(f.waiting, f.open)
	f.mu.Unlock()
	f.open = run{first: f.next}
	select {
	case f.more <- struct{}{}:
	default:
	}
}

// write is a goroutine that brings into the file what was taken, until ctx ends.
// A file that cannot be written costs time at the next start, nothing else, so
// the ledger goes on without.
func (f *stateFile) write(ctx context.Context) {
	for {
		select {
		case <-f.more:
		case <-ctx.Done():
			return
		}
		if err := f.flush(ctx); err != nil && ctx.Err() == nil {
			f.log.Warn("the state was not written; it will be with the next", zap.Error(err))
		}
	}
}

// has reports whether an event of the stream is in the file.
func (f *stateFile) has(revision uint64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return revision < f.flushed
}

// flush writes what waits, in one transaction.
func (f *stateFile) flush(ctx context.Context) error {
	f.mu.Lock()
	runs := f.waiting
	f.mu.Unlock()
	if len(runs) == 0 {
		return nil
	}
	tx, err := f.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	defer tx.Rollback()
	for _, r := range runs {
		r = f.veiled(r)
		// An earlier commit that was answered with an error may have happened.
		_, err := tx.ExecContext(ctx, `INSERT INTO run (first, count, state, records, mac) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (first) DO UPDATE SET count = excluded.count, state = excluded.state, records = excluded.records, mac = excluded.mac`,
			r.first, r.count, r.state, r.records, f.mac(r))
		if err != nil {
			return fmt.Errorf("writing the state: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("writing the state: %w", err)
	}
	f.mu.Lock()
	last := runs[len(runs)-1]
	f.waiting, f.flushed = f.waiting[len(runs):], last.first+last.count
	f.mu.Unlock()
	return nil
}

// close writes what waits and closes the file.
func (f *stateFile) close() error {
	err := f.flush(context.Background())
	return errors.Join(err, f.db.Close())
}
