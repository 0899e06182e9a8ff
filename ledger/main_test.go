package ledger_test

import (
	"flag"
	"os"
	"testing"

	"github.com/sharetrail/sharetrail/internal/leaktest"
)

// raced says that the race detector watches. It makes cryptography some ten times as
// slow, and looks at how goroutines meet, not at how much they do.
var raced bool

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		if round := os.Getenv(crashErasing); round != "" {
			eraseUntilKilled(dir, round)
		}
		recordUntilKilled(dir)
	}
	checks := "100" // each opens a ledger
	switch {
	case os.Getenv("SHARETRAIL_LONG") == "":
		checks = "20"
	case raced:
		checks = "30"
	}
	if err := flag.Set("rapid.checks", checks); err != nil {
		panic(err)
	}
	leaktest.Main(m)
}
