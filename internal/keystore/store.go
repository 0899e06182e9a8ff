package keystore

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/sqlite"
)

const schema = `
CREATE TABLE secret (
	name    TEXT PRIMARY KEY,
	wrapped BLOB NOT NULL
) STRICT;
CREATE TABLE party (
	id         INTEGER PRIMARY KEY,
	root       INTEGER NOT NULL,     -- id of the first generation that is openable together with this one
	role       INTEGER NOT NULL,
	generation INTEGER NOT NULL,
	label      BLOB NOT NULL UNIQUE, -- E(g)
	lookup     BLOB NOT NULL,        -- keyed hash of role and identity
	key        BLOB NOT NULL,        -- wrapped under the wrapping key
	secrets    BLOB NOT NULL,        -- handle and identity, wrapped under the party's key
	destroyed  INTEGER NOT NULL DEFAULT 0, -- 1: a tombstone, of which only id and label say anything
	UNIQUE (lookup, generation)
) STRICT;
CREATE TABLE seal (
	id    INTEGER PRIMARY KEY,
	event BLOB NOT NULL,       -- id of a sealed event
	key   BLOB NOT NULL UNIQUE -- of one of its slots, wrapped under the wrapping key
) STRICT;
CREATE INDEX seal_event ON seal (event);
CREATE INDEX party_root ON party (root) WHERE root <> id;
CREATE TABLE alias (
	id         INTEGER PRIMARY KEY,
	party      INTEGER NOT NULL REFERENCES party (id), -- the primary identity's
	generation INTEGER NOT NULL,
	label      BLOB NOT NULL UNIQUE, -- E(g)
	lookup     BLOB NOT NULL,        -- keyed hash of role and identity
	identity   BLOB NOT NULL,        -- wrapped under the party's key
	destroyed  INTEGER NOT NULL DEFAULT 0,
	UNIQUE (lookup, generation)
) STRICT;
CREATE INDEX alias_party ON alias (party);
CREATE TABLE mark (
	id      INTEGER PRIMARY KEY CHECK (id = 1),
	genesis BLOB NOT NULL,
	size    INTEGER NOT NULL,
	root    BLOB NOT NULL
) STRICT;`

// ErrKeyMissing says that the data directory has keys but not the key that
// opens them.
var ErrKeyMissing = errors.New("the wrapping key is missing or is another one")

// ErrNoParty says that a party the stream knows is not in the keystore.
var ErrNoParty = errors.New("the keystore lacks a party that the stream knows: it is older than the event store; bring back the newer keys.db")

// ErrDestroyed says that a party's key was destroyed: the person was erased.
var ErrDestroyed = errors.New("the party's key was destroyed")

// PartyID names a party within one keystore. It never leaves the process, and is
// never given again.
type PartyID int64

// Party is one generation of somebody with a sequence of entries.
type Party struct {
	ID PartyID
	// Root is the ID of the generation with which the person's entries begin that can
	// still be opened: rotations keep it, and after an erasure there is another.
	Root       PartyID
	Role       events.Role
	Identity   events.Identity
	Generation uint64
	Label      events.Hash // E(g), the enrolment label
	Key        [32]byte
	Handle     events.Hash
}

// bind is the additional data of a party's wrapped key and secrets: swapping
// columns of two rows leaves keys that do not open.
func (p *Party) bind(what string, lookup []byte) []byte {
	b := append([]byte(what), 0, byte(p.Role))
	b = binary.BigEndian.AppendUint64(b, p.Generation)
	b = append(b, p.Label[:]...)
	return append(b, lookup...)
}

// Store is the keystore of one data directory. Its methods may be called from
// several goroutines.
type Store struct {
	db       *sqlite.DB
	holds    *sqlite.DB // holds.db
	wrap     [32]byte
	hash     [32]byte // key of lookups, derived from wrap
	byID     *sql.Stmt
	byIDs    *sql.Stmt // takes a JSON array of numbers
	byLabels *sql.Stmt // takes a JSON array of texts in base 16
	cache    *cache
}

// Open opens or creates the keystore in a directory.
func Open(ctx context.Context, dir string) (*Store, error) {
	db, err := sqlite.Open(ctx, sqlite.Config{
		Path: filepath.Join(dir, "keys.db"), Schema: schema, Version: 2, Application: "shky", Pragmas: []string{"secure_delete(ON)"},
	})
	if err != nil {
		return nil, err
	}
	s := &Store{db: db, cache: newCache(cachedParties)}
	err = s.loadWrap(ctx, filepath.Join(dir, "wrap.key"))
	if err == nil {
		err = truncate(ctx, db) // a crash may have come between a destruction and this
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s.hash = sha256.Sum256(append([]byte("sharetrail/v1/keystore/lookup\x00"), s.wrap[:]...))
	for to, where := range map[**sql.Stmt]string{
		&s.byID:     "id = ?",
		&s.byIDs:    "id IN (SELECT value FROM json_each(?))",
		&s.byLabels: "NOT destroyed AND label IN (SELECT unhex(value) FROM json_each(?))",
	} {
		if *to, err = db.Read.PrepareContext(ctx, selectParty+where); err != nil {
			return nil, errors.Join(fmt.Errorf("opening the keystore: %w", err), db.Close())
		}
	}
	if err := s.openHolds(ctx, dir); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close closes the keystore.
func (s *Store) Close() error {
	err := s.db.Close()
	if s.holds != nil {
		err = errors.Join(err, s.holds.Close())
	}
	return err
}

// loadWrap reads the wrapping key, or makes one if the keystore is still empty.
func (s *Store) loadWrap(ctx context.Context, path string) error {
	var used bool
	if err := s.db.Read.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM secret)").Scan(&used); err != nil {
		return fmt.Errorf("reading the keystore: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("other users can read %s: run chmod 600 on it, and think about who may have", path)
	}
	b, err := os.ReadFile(path)
	switch {
	case err == nil && len(b) == len(s.wrap):
		s.wrap = [32]byte(b)
		return nil
	case used, err == nil:
		return fmt.Errorf("reading %s: %w; restore it from its backup", path, ErrKeyMissing)
	case !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("reading %s: %w", path, err)
	}
	err = createDurably(path, random(len(s.wrap)))
	if err != nil && !errors.Is(err, os.ErrExist) {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if b, err = os.ReadFile(path); err != nil || len(b) != len(s.wrap) {
		return fmt.Errorf("reading %s: %w", path, errors.Join(err, ErrKeyMissing))
	}
	s.wrap = [32]byte(b)
	return nil
}

// createDurably makes a file that did not exist, whole or not at all. A link
// never replaces: of two processes the second gets ErrExist, and the first key
// stays, which may wrap something already.
func createDurably(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.new") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Party returns the newest generation of an identity, if it has one that is not
// destroyed. It knows nothing of aliases.
func (s *Store) Party(ctx context.Context, role events.Role, id events.Identity) (Party, bool, error) {
	return s.one(ctx, s.db.Read, "lookup = ? AND NOT destroyed ORDER BY generation DESC LIMIT 1", s.lookup(role, id))
}

// lookup is what the row of an identity is found by. Identities stand in no file
// in clear, not even in the pages that an index has given up.
func (s *Store) lookup(role events.Role, id events.Identity) []byte {
	h := hmac.New(sha256.New, s.hash[:])
	h.Write([]byte{byte(role)})
	h.Write([]byte(id))
	return h.Sum(nil)
}

// ByLabel returns the party with an enrolment label, if this keystore has it.
func (s *Store) ByLabel(ctx context.Context, label events.Hash) (Party, bool, error) {
	return s.one(ctx, s.db.Read, "label = ? AND NOT destroyed", label[:])
}

// ByID returns a party. Parties that are busy are answered from memory.
func (s *Store) ByID(ctx context.Context, id PartyID) (Party, error) {
	if p, ok := s.cache.get(id); ok {
		return p, nil
	}
	p, found, err := s.scan(s.byID.QueryRowContext(ctx, int64(id)))
	if err == nil && !found {
		err = fmt.Errorf("reading the key of party %d: %w", id, ErrNoParty)
	}
	if err == nil {
		s.cache.put(p)
	}
	return p, err
}

// Parties yields every party there is when it begins, in the order in which
// their keys were made.
func (s *Store) Parties(ctx context.Context) iter.Seq2[Party, error] {
	return func(yield func(Party, error) bool) {
		rows, err := s.db.Read.QueryContext(ctx, selectParty+"NOT destroyed ORDER BY id")
		if err != nil {
			yield(Party{}, fmt.Errorf("reading the parties: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			if p, _, err := s.scan(rows); !yield(p, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Party{}, fmt.Errorf("reading the parties: %w", err))
		}
	}
}

const selectParty = "SELECT id, root, role, generation, label, lookup, key, secrets, destroyed FROM party WHERE "

// querier is the reading pool, or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) one(ctx context.Context, q querier, where string, args ...any) (p Party, found bool, err error) {
	return s.scan(q.QueryRowContext(ctx, selectParty+where, args...))
}

// scan reads and unwraps the row of one party. With ErrCannotOpen it returns
// whose row it is.
func (s *Store) scan(row interface{ Scan(...any) error }) (p Party, found bool, err error) {
	var label, lookup, key, secrets []byte
	var destroyed bool
	err = row.Scan(&p.ID, &p.Root, &p.Role, &p.Generation, &label, &lookup, &key, &secrets, &destroyed)
	if errors.Is(err, sql.ErrNoRows) {
		return Party{}, false, nil
	}
	if err != nil {
		return Party{}, false, fmt.Errorf("reading a party: %w", err)
	}
	if destroyed {
		return Party{ID: p.ID, Root: p.Root}, false, fmt.Errorf("reading the key of party %d: %w", p.ID, ErrDestroyed)
	}
	if len(label) != len(p.Label) {
		return Party{ID: p.ID, Root: p.Root}, false, fmt.Errorf("reading a party: its label has %d bytes: %w", len(label), ErrCannotOpen)
	}
	p.Label = events.Hash(label)
	plain, err := open(s.wrap, key, p.bind("key", lookup))
	if err != nil {
		return Party{ID: p.ID, Root: p.Root}, false, fmt.Errorf("unwrapping a party's key: %w", err)
	}
	p.Key = [32]byte(plain)
	if plain, err = open(p.Key, secrets, p.bind("secrets", lookup)); err != nil || len(plain) < len(p.Handle) {
		return Party{ID: p.ID, Root: p.Root}, false, fmt.Errorf("unwrapping a party's handle: %w", errors.Join(err, ErrCannotOpen))
	}
	p.Handle, p.Identity = events.Hash(plain[:len(p.Handle)]), events.Identity(plain[len(p.Handle):])
	return p, true, nil
}

// Add makes a key and a handle for each of the given parties, of which Role,
// Identity, Generation and Label are set, and returns them with all fields. When
// it returns, they are durable, by one commit; a crash before the enrolment is
// appended leaves a key that opens nothing and is used the next time. Keys that
// another instance has made meanwhile are returned as they are.
func (s *Store) Add(ctx context.Context, parties ...Party) ([]Party, error) {
	if len(parties) == 0 {
		return nil, nil
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("storing the keys of %d parties: %w", len(parties), err)
	}
	defer tx.Rollback()
	added := make([]Party, len(parties))
	for i, p := range parties {
		if added[i], err = s.add(ctx, tx, p); err != nil {
			return nil, fmt.Errorf("storing the key of a party: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return nil, fmt.Errorf("storing the keys of %d parties: %w", len(parties), err)
	}
	return added, nil
}

func (s *Store) add(ctx context.Context, tx *sql.Tx, p Party) (Party, error) {
	if err := giveWay(ctx, tx, "alias", "identity = zeroblob(length(identity))", p.Label); err != nil {
		return p, err
	}
	p.Key, p.Handle = random32(), random32()
	lookup := s.lookup(p.Role, p.Identity)
	secrets := append(p.Handle[:len(p.Handle):len(p.Handle)], p.Identity...)
	err := tx.QueryRowContext(ctx,
		`INSERT INTO party (id, root, role, generation, label, lookup, key, secrets)
			SELECT next, coalesce((SELECT root FROM party WHERE lookup = ?4 AND NOT destroyed LIMIT 1), next), ?1, ?2, ?3, ?4, ?5, ?6
			FROM (SELECT coalesce((SELECT id FROM party ORDER BY id DESC LIMIT 1), 0) + 1 AS next) WHERE true
			ON CONFLICT DO NOTHING RETURNING id, root`,
		p.Role, p.Generation, p.Label[:], lookup,
		seal(s.wrap, p.Key[:], p.bind("key", lookup)),
		seal(p.Key, secrets, p.bind("secrets", lookup))).Scan(&p.ID, &p.Root)
	if !errors.Is(err, sql.ErrNoRows) {
		return p, err
	}
	have, found, err := s.one(ctx, tx, "label = ?", p.Label[:])
	if err == nil && (!found || have.Role != p.Role || have.Identity != p.Identity || have.Generation != p.Generation) {
		err = errors.New("the keystore has other keys under this label or this identity")
	}
	return have, err
}
