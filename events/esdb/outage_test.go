package esdb_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/embedded"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/eventstest"
)

// calls is every method that waits for a server.
var calls = map[string]func(ctx context.Context, s *esdb.Store) error{
	"Append": func(ctx context.Context, s *esdb.Store) error {
		_, err := s.Append(ctx, "away", events.NoStream, eventstest.Event("away"))
		return err
	},
	"Head": func(ctx context.Context, s *esdb.Store) error {
		_, err := s.Head(ctx, "away")
		return err
	},
	"Read": func(ctx context.Context, s *esdb.Store) error {
		for _, err := range s.Read(ctx, "away", 0, esdb.All) {
			return err
		}
		return nil
	},
	"Follow": func(ctx context.Context, s *esdb.Store) error {
		for _, err := range s.Follow(ctx, "away", 0) {
			return err
		}
		return nil
	},
}

// together makes four calls of each kind at once and returns their errors.
func together(t *testing.T, ctx context.Context, s *esdb.Store, check func(error) bool) {
	t.Helper()
	var group sync.WaitGroup
	for name, call := range calls {
		for range 4 {
			group.Go(func() {
				if err := call(ctx, s); !check(err) {
					t.Errorf("%s answered %v", name, err)
				}
			})
		}
	}
	group.Wait()
}

// patience tells a call that hangs from one that a busy machine delays.
const patience = 2 * time.Minute

// TestServerAway takes the server away from under many callers: each returns
// when its context ends, and none hangs.
func TestServerAway(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	store := openStore(t, esdb.Config{Target: node.Target()})
	if err := node.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		start := time.Now()
		together(t, ctx, store, func(err error) bool { return errors.Is(err, context.DeadlineExceeded) })
		if took := time.Since(start); took > patience {
			t.Errorf("the calls took %v", took)
		}
		cancel()
	}
}

// TestServerSilent talks to a server that takes connections and says nothing.
func TestServerSilent(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	path := strings.TrimPrefix(node.Target(), "unix://")
	silent, err := net.Listen("unix", filepath.Join(filepath.Dir(path), "silent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	store, err := esdb.Open(ctx, esdb.Config{Target: "unix://" + silent.Addr().String()})
	if err == nil {
		store.Close()
		t.Fatal("opened")
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("opening answered %v", err)
	}
	if took := time.Since(start); took > patience {
		t.Fatalf("opening took %v", took)
	}
}

// TestServerBack lets callers wait for a server that comes back.
func TestServerBack(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "es.sock")
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	if len(socket) > 100 {
		t.Skip("the temporary directory has too long a path for a socket")
	}
	relay := startRelay(t, socket, strings.TrimPrefix(node.Target(), "unix://"))
	store := openStore(t, esdb.Config{Target: "unix://" + socket})
	relay.cut()
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			stream := uuid.NewString()
			for at := range 20 {
				if _, err := store.Append(t.Context(), stream, events.Expected(at-1), eventstest.Event(stream+string(rune('a'+at)))); err != nil {
					t.Errorf("caller %d: %v", i, err)
					return
				}
				if at%5 == 0 {
					relay.cut() // answers get lost, connections break
				}
			}
			if head, err := store.Head(t.Context(), stream); err != nil || head != 19 {
				t.Errorf("caller %d: head is %d, %v", i, head, err)
			}
		})
	}
	group.Wait()
}

func TestClosed(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	store := openStore(t, esdb.Config{Target: node.Target()})
	following := make(chan error, 1)
	started := make(chan struct{})
	if _, err := store.Append(t.Context(), "open", events.NoStream, eventstest.Event("open")); err != nil {
		t.Fatal(err)
	}
	go func() {
		for _, err := range store.Follow(t.Context(), "open", 0) {
			if err != nil {
				following <- err
				return
			}
			close(started)
		}
	}()
	<-started
	for range 2 {
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	closed := func(err error) bool { return errors.Is(err, esdb.ErrClosed) }
	if err := <-following; !closed(err) {
		t.Errorf("following ended with %v", err)
	}
	together(t, t.Context(), store, closed)
}

func TestTooLarge(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	store := openStore(t, esdb.Config{Target: node.Target()})
	large := eventstest.Event("large")
	large.Data = make([]byte, esdb.MaxAppendBytes)
	if _, err := store.Append(t.Context(), "large", events.NoStream, large); !errors.Is(err, esdb.ErrTooLarge) {
		t.Fatalf("append answered %v", err)
	}
}

func TestConfigRefused(t *testing.T) {
	for name, c := range map[string]esdb.Config{
		"nothing":           {},
		"both":              {Connection: "esdb://localhost:2113", Target: "unix:///tmp/es.sock"},
		"other scheme":      {Connection: "http://user:secret@localhost"},
		"user without TLS":  {Connection: "esdb://user:secret@localhost:2113?tls=false"},
		"nobody is there":   {Target: "unix:///nonexistent/es.sock"},
		"unreadable number": {Connection: "esdb://user:secret@localhost:port"},
	} {
		store, err := esdb.Open(t.Context(), c)
		if err == nil {
			store.Close()
			t.Errorf("%s: opened", name)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error shows the password: %v", name, err)
		}
	}
}

// TestRefusal wants a refusal of the server to reach the caller: taken for a
// lost connection it would be repeated until the context ends.
func TestRefusal(t *testing.T) {
	node := openNode(t, embedded.Config{Path: t.TempDir()})
	store := openStore(t, esdb.Config{Target: node.Target()})
	for i := range 20 {
		_, err := store.Append(t.Context(), "$all", events.NoStream, eventstest.Events("refused", 1+10*i)...)
		if err == nil || errors.Is(err, events.ErrConflict) {
			t.Fatalf("append answered %v", err)
		}
	}
}
