package embedded_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/trillian/integration/storagetest"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"

	"github.com/sharetrail/sharetrail/internal/leaktest"
	"github.com/sharetrail/sharetrail/ledger/trillianlog/embedded"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

func open(t *testing.T, cfg embedded.Config) *embedded.Server {
	t.Helper()
	server, err := embedded.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func newPath(t *testing.T) string { return filepath.Join(t.TempDir(), "log.db") }

// TestUpstreamAdminStorage is Trillian's own suite for AdminStorage, complete.
func TestUpstreamAdminStorage(t *testing.T) {
	tester := &testonly.AdminStorageTester{NewAdminStorage: func() storage.AdminStorage {
		_, admin := open(t, embedded.Config{Path: newPath(t)}).Storage()
		return admin
	}}
	tester.RunAllTests(t)
}

// upstreamCases is every case of Trillian's suite for LogStorage, with the
// reason why one does not apply.
var upstreamCases = []struct{ name, notApplicable string }{
	{name: "AddSequencedLeavesAndDequeueLeaves"},
	{name: "AddSequencedLeavesUnordered"},
	{name: "AddSequencedLeavesWithDuplicates", notApplicable: "expects each identity hash once in a tree; ours contain the index, and an index over random keys is refused by design"},
	{name: "CheckDatabaseAccessible"},
	{name: "DequeueLeaves", notApplicable: "queues leaves in a LOG tree; this provider is for pre-ordered logs"},
	{name: "DequeueLeavesNoneQueued"},
	{name: "DequeueLeavesTwoBatches", notApplicable: "queues leaves in a LOG tree; this provider is for pre-ordered logs"},
	{name: "GetLeavesByRangeFromLog"},
	{name: "GetLeavesByRangeFromPreorderedLog"},
	{name: "ReadWriteTransaction"},
	{name: "Snapshot"},
}

const upstreamChild = "SHARETRAIL_TEST_UPSTREAM_CHILD"

// TestUpstreamLogStorage runs the suite in a child process, since the suite
// itself has no way to leave a case out, and reports case by case. A case that
// the table does not know fails, and so does one that no longer exists.
func TestUpstreamLogStorage(t *testing.T) {
	if os.Getenv(upstreamChild) != "" {
		storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (storage.LogStorage, storage.AdminStorage) {
			return open(t, embedded.Config{Path: newPath(t)}).Storage()
		})
		return
	}
	var skip []string
	for _, c := range upstreamCases {
		if c.notApplicable != "" {
			skip = append(skip, c.name)
		}
	}
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^TestUpstreamLogStorage$",
		"-test.skip=^TestUpstreamLogStorage$/^("+strings.Join(skip, "|")+")$")
	child.Env = append(os.Environ(), upstreamChild+"=1")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Errorf("the suite: %v\n%s", err, out)
	}
	verdicts := map[string]string{}
	for _, m := range regexp.MustCompile(`--- (\w+): TestUpstreamLogStorage/(\w+) `).FindAllStringSubmatch(string(out), -1) {
		verdicts[m[2]] = m[1]
	}
	for _, c := range upstreamCases {
		t.Run(c.name, func(t *testing.T) {
			if c.notApplicable != "" {
				t.Skip(c.notApplicable)
			}
			if verdicts[c.name] != "PASS" {
				t.Errorf("verdict %q", verdicts[c.name])
			}
		})
	}
	for name := range verdicts {
		if !slices.ContainsFunc(upstreamCases, func(c struct{ name, notApplicable string }) bool { return c.name == name }) {
			t.Errorf("the suite has a new case %s", name)
		}
	}
}
