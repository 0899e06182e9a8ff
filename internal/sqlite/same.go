package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// ErrDiffers says that two files do not hold the same.
var ErrDiffers = errors.New("the two files differ")

// Same compares two closed files, table by table and row by row, and counts the
// rows. ErrDiffers names the first table and row that differ, never what stands
// there. Neither file is changed. Tables named in skip are left out.
func Same(ctx context.Context, pathA, pathB string, skip ...string) (rows uint64, err error) {
	a, err := openReadOnly(pathA)
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := openReadOnly(pathB)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	tables, err := tablesOf(ctx, a)
	if err != nil {
		return 0, err
	}
	other, err := tablesOf(ctx, b)
	if err != nil {
		return 0, err
	}
	if !slices.Equal(tables, other) {
		return 0, fmt.Errorf("they have other tables: %w", ErrDiffers)
	}
	for _, t := range tables {
		if slices.Contains(skip, t) {
			continue
		}
		n, err := sameTable(ctx, a, b, t)
		if rows += n; err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func openReadOnly(path string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	uri := url.URL{Scheme: "file", OmitHost: true, Path: abs, RawQuery: "mode=ro"}
	return sql.Open("sqlite", uri.String())
}

// tablesOf lists tables, but not those that a virtual table keeps its content in.
func tablesOf(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
	if err != nil {
		return nil, fmt.Errorf("reading the tables: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("reading the tables: %w", err)
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func sameTable(ctx context.Context, a, b *sql.DB, table string) (n uint64, err error) {
	x, err := openTable(ctx, a, table)
	if err != nil {
		return 0, err
	}
	defer x.rows.Close()
	y, err := openTable(ctx, b, table)
	if err != nil {
		return 0, err
	}
	defer y.rows.Close()
	for ; ; n++ {
		left, more, err := x.next()
		if err != nil {
			return n, err
		}
		right, moreToo, err := y.next()
		if err != nil {
			return n, err
		}
		if more != moreToo || !reflect.DeepEqual(left, right) {
			return n, fmt.Errorf("row %d of %s: %w", n+1, table, ErrDiffers)
		}
		if !more {
			return n, nil
		}
	}
}

// table is a table in the order of all its columns.
type table struct {
	rows  *sql.Rows
	width int
}

func openTable(ctx context.Context, db *sql.DB, name string) (*table, error) {
	quoted := `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
	var width int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM pragma_table_info(?)", name).Scan(&width); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	order := make([]string, width)
	for i := range order {
		order[i] = fmt.Sprint(i + 1)
	}
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+quoted+" ORDER BY "+strings.Join(order, ","))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return &table{rows, width}, nil
}

func (t *table) next() (values []any, more bool, err error) {
	if !t.rows.Next() {
		return nil, false, t.rows.Err()
	}
	values = make([]any, t.width)
	to := make([]any, t.width)
	for i := range values {
		to[i] = &values[i]
	}
	return values, true, t.rows.Scan(to...)
}
