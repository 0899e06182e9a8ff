package embedded_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// witness is the folder of the Node program.
const witness = "../../docs/interop/node"

// TestNodeClient lets the official Node client judge the node over TCP. It
// installs the client, so it wants a network and SHARETRAIL_LONG=1.
func TestNodeClient(t *testing.T) {
	if os.Getenv("SHARETRAIL_LONG") != "1" {
		t.Skip("SHARETRAIL_LONG is not 1")
	}
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("SHARETRAIL_REQUIRE_BACKENDS") == "1" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "witness.mjs"} {
		data, err := os.ReadFile(filepath.Join(witness, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	node := openNode(t, embedded.Config{
		Path: t.TempDir(), TCP: "127.0.0.1:0",
		Protected: func(stream string) bool { return strings.HasPrefix(stream, "ledger-") },
	})
	store := openStore(t, node.Target())
	mustAppend(t, store, "ledger-witness", events.NoStream, eventstest.Events("ledger", 3)...)
	run(t, dir, "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	run(t, dir, "node", "witness.mjs", node.TCP())
}

func run(t *testing.T, dir string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	t.Logf("%s:\n%s", strings.Join(args, " "), out)
	if err != nil {
		t.Fatal(err)
	}
}
