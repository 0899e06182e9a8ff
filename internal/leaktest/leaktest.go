// Package leaktest looks for goroutines that a test left behind, with a patience
// that a busy machine does not exhaust: goleak by itself gives them half a second.
package leaktest

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is for goroutines that are about to end. Only a leak waits for it.
const patience = time.Minute

// Main runs the tests of a package and fails if they left goroutines behind.
func Main(m *testing.M, options ...goleak.Option) {
	code := m.Run()
	if code == 0 {
		if err := find(options); err != nil {
			fmt.Fprintln(os.Stderr, "leaktest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// None fails a test that left goroutines behind when it ends.
func None(t *testing.T, options ...goleak.Option) {
	t.Helper()
	t.Cleanup(func() {
		if err := find(options); err != nil {
			t.Error(err)
		}
	})
}

func find(options []goleak.Option) error {
	for begun := time.Now(); ; {
		err := goleak.Find(options...)
		if err == nil || time.Since(begun) > patience {
			return err
		}
	}
}
