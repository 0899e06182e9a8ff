package main_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sharetrail/sharetrail"

// goList runs go list in the module's root.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list %v: %v", args, err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

// TestVerifierLinksLittle: an auditor has to read what verifies, so it is
// little, and none of it runs programs or links a database. Only a witness and the
// reader of remote tiles speak to a network, which are packages of their own: what
// checks files cannot (docs/decisions/0023).
func TestVerifierLinksLittle(t *testing.T) {
	allowed := []string{
		module + "/events", module + "/verifier", module + "/verifier/witness", module + "/cmd/sharetrail-verify",
		module + "/verifier/audit", module + "/verifier/watch", module + "/ledger/index", module + "/ledger/tiles", module + "/ledger/tiles/remote",
		"golang.org/x/sync/errgroup",
		"github.com/schollz/progressbar/v3", "github.com/mitchellh/colorstring", "github.com/rivo/uniseg", "golang.org/x/term", "golang.org/x/sys/unix",
		"golang.org/x/mod/sumdb/note", "golang.org/x/mod/sumdb/tlog",
		"golang.org/x/text/transform", "golang.org/x/text/unicode/norm",
		"filippo.io/mostly-harmless/vrf-r255", "filippo.io/edwards25519", "filippo.io/edwards25519/field",
		"github.com/gtank/ristretto255", "github.com/fxamacker/cbor/v2", "github.com/x448/float16",
	}
	for _, p := range goList(t, "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./cmd/sharetrail-verify") {
		if p != "" && !slices.Contains(allowed, p) {
			t.Errorf("sharetrail-verify links %s", p)
		}
	}
	for _, p := range goList(t, "-deps", "./cmd/sharetrail-verify") {
		if p == "os/exec" || p == "plugin" {
			t.Errorf("sharetrail-verify links %s", p)
		}
	}
	for _, p := range goList(t, "-deps", "./verifier", "./verifier/audit", "./verifier/watch", "./ledger/index", "./ledger/tiles") {
		if p == "net" || strings.HasPrefix(p, "net/") || p == "os/exec" || p == "plugin" {
			t.Errorf("verifier links %s", p)
		}
	}
}

// TestImports holds the arrows of the design: who may import whom directly.
func TestImports(t *testing.T) {
	// only names the packages of ours that may import a prefix.
	only := map[string][]string{
		"github.com/EventStore/EventStore-Client-Go/v4/esdb":   {"events/esdb"},
		"github.com/EventStore/EventStore-Client-Go/v4/protos": {"events/embedded"},
		"github.com/google/trillian":                           {"ledger/trillianlog", "ledger/trillianlog/embedded"},
		"github.com/ThreeDotsLabs/watermill":                   {"events/pubsub", "projections"},
		"github.com/jackc/pgx":                                 {"projections/postgres", "projections/postgres/catalogdb", "projections/postgres/viewdb", "projections/projectionstest"},
		"github.com/pressly/goose":                             {"projections/sqlite", "projections/postgres"},
		module + "/projections":                                {"internal/api", "cmd/sharetrail", "projections/sqlite", "projections/postgres", "projections/projectionstest"},
		module + "/projections/sqlite":                         {"cmd/sharetrail", "projections/projectionstest"},
		module + "/projections/postgres":                       {"cmd/sharetrail", "projections/projectionstest"},
		module + "/verifier/witness":                           {"cmd/sharetrail-verify", "ledger", "ledger/ledgertest"},
		module + "/internal/api":                               {"cmd/sharetrail", "internal/ui"},
		module + "/internal/ui":                                {"cmd/sharetrail"},
		module + "/internal/actor":                             {"internal/actor/actortest", "internal/api", "internal/ui", "cmd/sharetrail"},
		module + "/ledger":                                     {"ledger", "ledger/ledgertest", "internal/api", "cmd/sharetrail"},
		module + "/ledger/trillianlog":                         {"ledger", "ledger/ledgertest", "cmd/sharetrail"},
		module + "/internal/keystore":                          {"ledger", "ledger/ledgertest", "projections", "projections/projectionstest", "cmd/sharetrail"},
		module + "/cmd/":                                       {},
	}
	for _, line := range goList(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		pkg := strings.TrimPrefix(fields[0], module+"/")
		for _, imported := range fields[1:] {
			for prefix, allowed := range only {
				exact := strings.HasPrefix(prefix, module) && !strings.HasSuffix(prefix, "/")
				hit := imported == prefix || !exact && strings.HasPrefix(imported, prefix)
				if hit && !slices.Contains(allowed, pkg) {
					t.Errorf("%s imports %s", pkg, imported)
				}
			}
			if (pkg == "events" || pkg == "verifier") && strings.HasPrefix(imported, "go.uber.org/zap") {
				t.Errorf("%s logs", pkg)
			}
			if pkg == "events" && strings.HasPrefix(imported, module) {
				t.Errorf("events imports %s", imported)
			}
		}
	}
}
