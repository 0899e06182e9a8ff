package sqlite_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sharetrail/sharetrail/internal/sqlite"
)

func config(t *testing.T) sqlite.Config {
	return sqlite.Config{
		Path: filepath.Join(t.TempDir(), "a b?c%.db"), Version: 3, Application: "shrT",
		Schema: "CREATE TABLE a (x INTEGER) STRICT", Pragmas: []string{"secure_delete(ON)"},
	}
}

func open(t *testing.T, cfg sqlite.Config) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestPragmas(t *testing.T) {
	db := open(t, config(t))
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "user_version": "3",
	} {
		var read, write string
		if err := db.Read.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&read); err != nil {
			t.Fatal(err)
		}
		if err := db.Write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&write); err != nil {
			t.Fatal(err)
		}
		if read != want || write != want {
			t.Errorf("%s is %s for readers and %s for the writer, want %s", pragma, read, write, want)
		}
	}
}

func TestModes(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(cfg.Path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%q: %v, %v", suffix, info, err)
		}
	}
	second := open(t, cfg) // both may be open
	var n int
	if err := second.Read.QueryRowContext(t.Context(), "SELECT x FROM a").Scan(&n); err != nil || n != 1 {
		t.Errorf("the second reads %d: %v", n, err)
	}
}

// TestPageSize: a new file has the pages that it was asked for, an old one keeps its own.
func TestPageSize(t *testing.T) {
	cfg := config(t)
	for _, asked := range []int{16 << 10, 8 << 10, 0} {
		cfg.PageSize = asked
		db := open(t, cfg)
		var have int
		if err := db.Write.QueryRowContext(t.Context(), "PRAGMA page_size").Scan(&have); err != nil || have != 16<<10 {
			t.Errorf("asked for %d and has pages of %d: %v", asked, have, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestVersions(t *testing.T) {
	cfg := config(t)
	if err := open(t, cfg).Close(); err != nil {
		t.Fatal(err)
	}
	older := cfg
	older.Version = 2
	if _, err := sqlite.Open(t.Context(), older); err == nil || !strings.Contains(err.Error(), "newer sharetrail") {
		t.Errorf("an older program opened a newer file: %v", err)
	}
	newer := cfg
	newer.Version = 4
	if _, err := sqlite.Open(t.Context(), newer); err == nil {
		t.Errorf("a newer program opened an older file that it cannot convert: %v", err)
	}
	open(t, cfg)
}

// TestUpgrades: an older file goes through every version up to this one, or stays as
// it is.
func TestUpgrades(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	newer := cfg
	newer.Version = 5
	for name, upgrades := range map[string]map[int]string{
		"a gap":          {3: "ALTER TABLE a ADD COLUMN y INTEGER"},
		"a wrong one":    {3: "ALTER TABLE a ADD COLUMN y INTEGER", 4: "ALTER TABLE b ADD COLUMN z INTEGER"},
		"only older one": {2: "DROP TABLE a"},
	} {
		newer.Upgrades = upgrades
		if _, err := sqlite.Open(t.Context(), newer); err == nil {
			t.Errorf("%s: the file was opened", name)
		}
		if err := open(t, cfg).Close(); err != nil { // as it was
			t.Errorf("%s: %v", name, err)
		}
	}
	newer.Upgrades = map[int]string{2: "DROP TABLE a", 3: "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 7", 4: "UPDATE a SET x = x + y"}
	for range 2 { // the second time there is nothing left to do
		db := open(t, newer)
		var x, version int
		if err := db.Read.QueryRowContext(t.Context(), "SELECT x, user_version FROM a, pragma_user_version").Scan(&x, &version); err != nil || x != 8 || version != 5 {
			t.Errorf("x is %d in version %d: %v", x, version, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := sqlite.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "newer sharetrail") {
		t.Errorf("an older program opened an upgraded file: %v", err)
	}
}

func TestOtherFiles(t *testing.T) {
	cfg := config(t)
	if err := os.WriteFile(cfg.Path, []byte("this is a text and not a database, however long it goes on"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), cfg); err == nil {
		t.Error("a text was opened")
	}
	cfg = config(t)
	db := open(t, cfg)
	if _, err := db.Write.ExecContext(t.Context(), "PRAGMA user_version = 0"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(t.Context(), cfg); err == nil {
		t.Error("the database of another program was opened")
	}
}

func TestSame(t *testing.T) {
	var paths []string
	for _, statement := range []string{
		"INSERT INTO a VALUES (1), (2)", "INSERT INTO a VALUES (2), (1)", "INSERT INTO a VALUES (1), (3)", "INSERT INTO a VALUES (1)",
		"INSERT INTO a VALUES (1), (2); CREATE TABLE b (y)",
	} {
		cfg := config(t)
		db := open(t, cfg)
		if _, err := db.Write.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, cfg.Path)
	}
	for i, path := range paths {
		n, err := sqlite.Same(t.Context(), paths[0], path)
		if same := i < 2; same != (err == nil) || !same && !errors.Is(err, sqlite.ErrDiffers) || same && n != 2 {
			t.Errorf("0 and %d: %d rows, %v", i, n, err)
		}
	}
}

func TestFull(t *testing.T) {
	db := open(t, config(t))
	if _, err := db.Write.ExecContext(t.Context(), "PRAGMA max_page_count = 8"); err != nil {
		t.Fatal(err)
	}
	const many = "INSERT INTO a WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT 100000) SELECT x FROM n"
	for range 2 {
		if _, err := db.Write.ExecContext(t.Context(), many); !sqlite.IsFull(err) {
			t.Fatalf("a full file answers %v", err)
		}
	}
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO a VALUES (1)"); err != nil {
		t.Errorf("what fits is not taken any more: %v", err)
	}
	if sqlite.IsFull(errors.New("another")) || sqlite.IsFull(nil) {
		t.Error("every error is a full disk")
	}
}

func TestCheck(t *testing.T) {
	cfg := config(t)
	db := open(t, cfg)
	if _, err := db.Write.ExecContext(t.Context(), "INSERT INTO a VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sqlite.Check(t.Context(), cfg.Path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"empty": nil, "short": whole[:len(whole)-1], "a text": []byte(strings.Repeat("text ", 2000))} {
		if err := os.WriteFile(cfg.Path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := sqlite.Check(t.Context(), cfg.Path); !errors.Is(err, sqlite.ErrDamaged) || !sqlite.IsDamaged(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
