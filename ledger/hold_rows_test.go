package ledger_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
)

// heldRows reads from holds.db what must be gone once the hold is released.
//
//go:noinline
func heldRows(t *testing.T, dir string) map[string]veiled {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "holds.db")+"?_pragma=busy_timeout(5000)&_pragma=query_only(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query("SELECT 'key', key FROM hold UNION ALL SELECT 'people', list FROM people UNION ALL SELECT 'entries', entries FROM held")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]veiled{}
	for rows.Next() {
		var what string
		var b []byte
		if err := rows.Scan(&what, &b); err != nil {
			t.Fatal(err)
		}
		found[fmt.Sprint(what, len(found))] = veil(b[:min(len(b), 72)]) // long ones lie on several pages
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}
