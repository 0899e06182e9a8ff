package actor

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

var (
	// ErrToken says that a token is none of this ledger's, or revoked.
	ErrToken = errors.New("the token is unknown or revoked")
	// ErrTaken says that a name belongs to somebody, maybe somebody revoked.
	ErrTaken = errors.New("the name is taken")
	// ErrNoActor says that nobody has that name.
	ErrNoActor = errors.New("no such actor")
)

//go:embed schema.sql
var schema string

//go:embed upgrade2.sql
var upgrade2 string

// Store keeps the actors of one ledger in one SQLite file.
type Store struct {
	db  *sqlite.DB
	now func() time.Time
}

// Open opens or makes the file. now is the clock of its days.
func Open(ctx context.Context, path string, now func() time.Time) (*Store, error) {
	db, err := sqlite.Open(ctx, sqlite.Config{
		Path: path, Schema: schema, Version: 2, Upgrades: map[int]string{1: upgrade2}, Application: "STac",
	})
	if err != nil {
		return nil, err
	}
	return &Store{db, now}, nil
}

// Close closes the file.
func (s *Store) Close() error { return s.db.Close() }

func (s *Store) today() string { return s.now().UTC().Format(time.DateOnly) }

// Added is a new actor.
type Added struct {
	Token string // cannot be had again
	Waits bool   // see [Actor]
}

// Add makes an actor. Whoever may be one of two waits to be confirmed, if there is
// anybody who could: only the first is let in on the word of the owner of the data
// directory, who could begin the file anew anyway. Errors of the caller are
// *events.FieldErrors, or ErrTaken.
func (s *Store) Add(ctx context.Context, name string, role Role, by Actor) (Added, error) {
	if err := checkName(name); err != nil {
		return Added{}, err
	}
	if err := checkRole(role); err != nil {
		return Added{}, err
	}
	token, hash := newToken()
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return Added{}, fmt.Errorf("adding an actor: %w", err)
	}
	defer tx.Rollback()
	waits := role.Decides() && by.Name != Operator.Name
	if role.Decides() && !waits {
		if waits, err = anybody(ctx, tx, Admin, Counsel, Keyholder); err != nil {
			return Added{}, fmt.Errorf("adding an actor: %w", err)
		}
	}
	done, err := tx.ExecContext(ctx, "INSERT INTO actors (name, role, token, created, added_by, waits) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
		name, string(role), hash[:], s.today(), by.Name, waits)
	if err != nil {
		return Added{}, fmt.Errorf("adding an actor: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return Added{}, errors.Join(err, ErrTaken)
	}
	if err := tx.Commit(); err != nil {
		return Added{}, fmt.Errorf("adding an actor: %w", err)
	}
	return Added{token, waits}, nil
}

// Revoke ends an actor's token, for good. Revoking again changes nothing.
func (s *Store) Revoke(ctx context.Context, name string) error {
	done, err := s.db.Write.ExecContext(ctx, "UPDATE actors SET revoked = coalesce(revoked, ?) WHERE name = ?", s.today(), name)
	if err != nil {
		return fmt.Errorf("revoking an actor: %w", err)
	}
	if n, err := done.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrNoActor)
	}
	return nil
}

// List returns all actors in order of their names, the revoked ones too.
func (s *Store) List(ctx context.Context) (all []Listed, err error) {
	rows, err := s.db.Read.QueryContext(ctx, `SELECT name, role, created, coalesce(revoked, ''), coalesce(used, ''),
		coalesce(added_by, ''), claimed, waits, coalesce(confirmed_by, '') FROM actors ORDER BY name`)
	if err != nil {
		return nil, fmt.Errorf("listing actors: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var l Listed
		if err := rows.Scan(&l.Name, &l.Role, &l.Created, &l.Revoked, &l.LastUsed, &l.AddedBy, &l.Claimed, &l.Waits, &l.ConfirmedBy); err != nil {
			return nil, fmt.Errorf("listing actors: %w", err)
		}
		all = append(all, l)
	}
	return all, rows.Err()
}

// Authenticate returns whose token it is, or ErrToken. What is looked up is the
// hash: how long that takes tells nothing about a token that would be right.
func (s *Store) Authenticate(ctx context.Context, token string) (Actor, error) {
	hash, ok := hashToken(token)
	if !ok {
		return Actor{}, ErrToken
	}
	var a Actor
	var kept []byte
	var used string
	err := s.db.Read.QueryRowContext(ctx,
		"SELECT name, role, claimed, waits, token, coalesce(used, '') FROM actors WHERE token = ? AND revoked IS NULL", hash[:]).
		Scan(&a.Name, &a.Role, &a.Claimed, &a.Waits, &kept, &used)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Actor{}, ErrToken
	case err != nil:
		return Actor{}, fmt.Errorf("looking up a token: %w", err)
	case len(kept) != sha256.Size || subtle.ConstantTimeCompare(kept, hash[:]) != 1:
		return Actor{}, ErrToken
	}
	// That a keyholder was there today, where others can list it, hints at a seal.
	if today := s.today(); used != today && a.Role != Keyholder {
		if _, err := s.db.Write.ExecContext(ctx, "UPDATE actors SET used = ? WHERE name = ?", today, a.Name); err != nil {
			return Actor{}, fmt.Errorf("noting the use of a token: %w", err)
		}
	}
	return a, nil
}

// Active reports whether an actor who was let in before still may: nil, or
// ErrToken. Whoever came in with a token that was claimed since may not.
func (s *Store) Active(ctx context.Context, a Actor) error {
	var n int
	err := s.db.Read.QueryRowContext(ctx,
		"SELECT count(*) FROM actors WHERE name = ? AND role = ? AND claimed = ? AND waits = 0 AND revoked IS NULL",
		a.Name, string(a.Role), a.Claimed).Scan(&n)
	switch {
	case err != nil:
		return fmt.Errorf("looking up an actor: %w", err)
	case n != 1:
		return ErrToken
	}
	return nil
}
