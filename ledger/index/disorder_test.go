package index_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// TestDisorder damages the order of the entries in a generation: one in the place of
// another, two that changed places, a stretch of other bytes. Entries out of order
// have no hash, and whoever hashed them would go on below the last bit of a label.
func TestDisorder(t *testing.T) {
	const header, size = 64, 64
	dir, all, _ := rebuilt(t, 40)
	files, err := filepath.Glob(filepath.Join(dir, "*.gen"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := func(b []byte, i int) []byte { return b[header+i*size : header+(i+1)*size] }
	name := filepath.Join(copyDir(t, dir), filepath.Base(files[0]))
	for do, damage := range map[string]func(b []byte, i, j int){
		"copied":  func(b []byte, i, j int) { copy(at(b, i), at(whole, j)) },
		"swapped": func(b []byte, i, j int) { copy(at(b, i), at(whole, j)); copy(at(b, j), at(whole, i)) },
		"labels":  func(b []byte, i, j int) { copy(at(b, i)[:32], at(whole, j)) },
		"flipped": func(b []byte, i, j int) {
			for n := header + min(i, j)*size; n < header+max(i, j)*size; n++ {
				b[n] ^= 0xff
			}
		},
		"zeroed": func(b []byte, i, j int) { clear(b[header+min(i, j)*size : header+max(i, j)*size]) },
	} {
		found := 0
		for i := range 38 {
			for j := range 38 {
				if i == j || (i+j)%3 != 0 {
					continue
				}
				b := append([]byte(nil), whole...)
				damage(b, i, j)
				if err := os.WriteFile(name, b, 0o600); err != nil {
					t.Fatal(err)
				}
				s, err := index.Open(index.Config{Dir: filepath.Dir(name), ReadOnly: true})
				if errors.Is(err, index.ErrDamaged) {
					found++
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				tree := s.Tree()
				if err := tree.Check(); !errors.Is(err, index.ErrDamaged) {
					t.Errorf("%s %d and %d: %v", do, i, j, err)
				}
				for _, e := range all {
					if v, ok, err := tree.Lookup(e.Label); err == nil && (!ok || v != e.Value) {
						t.Errorf("%s %d and %d: a false answer", do, i, j)
					} else if err != nil && !errors.Is(err, index.ErrDamaged) {
						t.Error(err)
					}
				}
				if _, err := tree.Insert(entries(5000, 300)); err != nil && !errors.Is(err, index.ErrDamaged) {
					t.Error(err)
				} else if err != nil {
					found++
				}
				mustClose(t, s)
			}
		}
		if found == 0 {
			t.Errorf("%s: nothing was found while inserting", do)
		}
	}
}
