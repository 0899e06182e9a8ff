package audit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/ledger/tiles"
	"github.com/sharetrail/sharetrail/verifier/audit"
)

// TestUpperTiles spoils a hash that no right edge of one run needs, above leaves that one run
// takes, or several, each in the middle of a tile. It is found by whoever audits, also
// by an auditor that has taken the leaves already and is asked again, or started again;
// and when the tile is right again, the log is whole.
func TestUpperTiles(t *testing.T) {
	for name, runs := range map[string]int{"one run": 1, "three runs": 3} {
		t.Run(name, func(t *testing.T) {
			m := newLog(t, 0, 0)
			state := t.TempDir()
			a := open(t, state, m.trust)
			for run := range runs {
				for range 1100 / runs {
					m.entries(t, 59)
					m.state(t, nil)
				}
				if run == runs-1 {
					break
				}
				if _, err := a.Audit(t.Context(), m.source(), m.publish(t)); err != nil {
					t.Fatal(err)
				}
			}
			c := m.publish(t)
			upper := filepath.Join(m.dir, "tile/1/000")
			if _, err := os.Stat(upper); err != nil {
				t.Fatalf("the log of %d leaves has no full tile above: %v", c.Size, err)
			}
			edit(t, upper, func(b []byte) { b[254*32] ^= 1 })
			var f *audit.Fault
			for _, again := range []string{"first", "again", "after a start"} {
				if _, err := a.Audit(t.Context(), tiles.Dir(m.dir), c); !errors.As(err, &f) || runs == 1 && f.Index != 254*tiles.Width {
					t.Errorf("%s: %v", again, err)
				}
				if again == "again" {
					if err := a.Close(); err != nil {
						t.Fatal(err)
					}
					a = open(t, state, m.trust)
				}
			}
			edit(t, upper, func(b []byte) { b[254*32] ^= 1 })
			if found, err := a.Audit(t.Context(), m.source(), c); err != nil || found.Leaves != c.Size {
				t.Errorf("the log as it is: %+v, %v", found, err)
			}
		})
	}
}
