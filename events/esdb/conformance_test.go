package esdb_test

import (
	"os"
	"testing"

	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
	"github.com/sharetrail/sharetrail/internal/leaktest"
)

var _ eventstest.Store = (*esdb.Store)(nil)

func TestMain(m *testing.M) { leaktest.Main(m) }

func TestEmbedded(t *testing.T) {
	store := openStore(t, esdb.Config{Target: openNode(t, embedded.Config{Path: t.TempDir()}).Target()})
	eventstest.TestStore(t, func(*testing.T) eventstest.Store { return store })
}

// TestCluster runs the suite over a real cluster:
//
//	SHARETRAIL_TEST_ESDB='esdb://admin:changeit@localhost:2113?tlsVerifyCert=false' go test ./events/esdb
func TestCluster(t *testing.T) {
	connection := os.Getenv("SHARETRAIL_TEST_ESDB")
	if connection == "" {
		// Also where CI requires its backends: it starts what it can, and a cluster
		// of this server it cannot.
		t.Skip("SHARETRAIL_TEST_ESDB names no cluster")
	}
	store := openStore(t, esdb.Config{Connection: connection})
	eventstest.TestStore(t, func(*testing.T) eventstest.Store { return store })
}

func openNode(t *testing.T, c embedded.Config) *embedded.Node {
	t.Helper()
	node, err := embedded.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := node.Close(); err != nil {
			t.Error(err)
		}
	})
	return node
}

func openStore(t *testing.T, c esdb.Config) *esdb.Store {
	t.Helper()
	store, err := esdb.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}
