package actor

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"github.com/sharetrail/sharetrail/events"
)

// anybody reports whether there is an actor of one of these roles who is let in.
func anybody(ctx context.Context, tx *sql.Tx, roles ...Role) (found bool, err error) {
	for _, r := range roles {
		var n int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM actors WHERE role = ? AND waits = 0 AND revoked IS NULL", string(r)).Scan(&n); err != nil || n > 0 {
			return n > 0, err
		}
	}
	return false, nil
}

// OneOfTwo says whether an actor can be one of two people: nil, or the
// *events.FieldError that says what is missing.
func (a Actor) OneOfTwo() error {
	if a.Claimed {
		return nil
	}
	return &events.FieldError{Field: "actor", Rule: "still has the token that was shown to whoever added it",
		Next: "trade it for one that nobody else has seen, with sharetrail actor claim"}
}

// Claim gives an actor another token, which nobody else has seen, and ends the one
// that was shown to whoever added them. It can be done once: whoever finds it done
// knows that somebody else had their token.
func (s *Store) Claim(ctx context.Context, a Actor) (token string, err error) {
	token, hash := newToken()
	done, err := s.db.Write.ExecContext(ctx, "UPDATE actors SET token = ?, claimed = 1 WHERE name = ? AND claimed = 0 AND revoked IS NULL", hash[:], a.Name)
	if err != nil {
		return "", fmt.Errorf("claiming a token: %w", err)
	}
	n, err := done.RowsAffected()
	if err != nil {
		return "", fmt.Errorf("claiming a token: %w", err)
	}
	if n == 0 {
		return "", &events.FieldError{Field: "actor", Rule: "has claimed its token already, or has none", Next: "go on with it; if it is lost or was seen, have the actor revoked and another one added"}
	}
	return token, nil
}

// Confirm lets in an actor who waits, on the word of somebody else than who added
// them: a keyholder for a keyholder, while there is one. Confirming again changes
// nothing. Errors of the caller are *events.FieldErrors, or ErrNoActor.
func (s *Store) Confirm(ctx context.Context, name string, by Actor) error {
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("confirming an actor: %w", err)
	}
	defer tx.Rollback()
	var role Role
	var addedBy string
	var claimed, waits bool
	err = tx.QueryRowContext(ctx, "SELECT role, coalesce(added_by, ''), claimed, waits FROM actors WHERE name = ? AND revoked IS NULL", name).
		Scan(&role, &addedBy, &claimed, &waits)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ErrNoActor
	case err != nil:
		return fmt.Errorf("confirming an actor: %w", err)
	case !waits:
		return nil
	}
	keyholders := false
	if role == Keyholder {
		if keyholders, err = anybody(ctx, tx, Keyholder); err != nil {
			return fmt.Errorf("confirming an actor: %w", err)
		}
	}
	kin := false
	if addedBy != "" && addedBy != Operator.Name { // whom the owner added, all that they added confirm
		line, err := kinOf(ctx, tx, addedBy)
		if err != nil {
			return fmt.Errorf("confirming an actor: %w", err)
		}
		kin = slices.Contains(line, by.Name)
	}
	switch {
	case by.Name == Operator.Name:
		return &events.FieldError{Field: "actor", Rule: "is the owner of the data directory, who adds actors and confirms none", Next: "let an admin, counsel or keyholder confirm, with their own token"}
	case by.Name == addedBy, by.Name == name:
		return &events.FieldError{Field: "actor", Rule: "added the one to be confirmed", Next: "let somebody else confirm"}
	case kin:
		return &events.FieldError{Field: "actor", Rule: "is no other person than the one who added the one to be confirmed: one of the two added the other, or added who did",
			Next: "let somebody else confirm; sharetrail actor list says who added whom"}
	case !by.Role.Decides(), keyholders && by.Role != Keyholder:
		return &events.FieldError{Field: "actor", Rule: "may not confirm this role: only a keyholder confirms a keyholder, while there is one", Next: "let a keyholder confirm"}
	case by.OneOfTwo() != nil:
		return by.OneOfTwo()
	case !claimed:
		return &events.FieldError{Field: "name", Rule: "names an actor whose token whoever added it has seen", Next: "let its holder claim it (sharetrail actor claim), and ask them whether it was they"}
	}
	if _, err := tx.ExecContext(ctx, "UPDATE actors SET waits = 0, confirmed_by = ? WHERE name = ?", by.Name, name); err != nil {
		return fmt.Errorf("confirming an actor: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("confirming an actor: %w", err)
	}
	return nil
}

// Kin returns the names of those with whom an actor is no two people: who added them,
// who added those, and so on, and whom they added, and whom those did. Somebody
// who was let in on a false word makes no second person of whom they add.
func (s *Store) Kin(ctx context.Context, a Actor) (names []string, err error) {
	return kinOf(ctx, s.db.Read, a.Name)
}

const kinQuery = `WITH RECURSIVE
	above(name) AS (SELECT added_by FROM actors WHERE name = ?1 UNION SELECT added_by FROM actors JOIN above USING (name)),
	below(name) AS (SELECT name FROM actors WHERE added_by = ?1 UNION SELECT actors.name FROM actors JOIN below ON actors.added_by = below.name)
	SELECT name FROM above WHERE name IS NOT NULL UNION SELECT name FROM below`

func kinOf(ctx context.Context, db interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}, of string) (names []string, err error) {
	rows, err := db.QueryContext(ctx, kinQuery, of)
	if err != nil {
		return nil, fmt.Errorf("reading who added whom: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("reading who added whom: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}
