package ledger_test

import (
	"flag"
	"os"
	"testing"

	"github.com/sharetrail/sharetrail/internal/leaktest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		recordUntilKilled(dir)
	}
	if os.Getenv("SHARETRAIL_LONG") == "" { // each check opens a ledger
		if err := flag.Set("rapid.checks", "20"); err != nil {
			panic(err)
		}
	}
	leaktest.Main(m)
}
