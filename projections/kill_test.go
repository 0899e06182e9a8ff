package projections_test

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/internal/keystore"
	"github.com/sharetrail/sharetrail/projections"
	"github.com/sharetrail/sharetrail/projections/projectionstest"
)

// childPlace and childKeys tell a copy of this test binary, which is going to be
// killed, where its rows, its keys and its events are.
const (
	childPlace = "SHARETRAIL_TEST_KILLED_PLACE"
	childKeys  = "SHARETRAIL_TEST_KILLED_KEYS"
)

// TestKilledProjecting is no test of its own: it is what TestKillStores kills.
func TestKilledProjecting(t *testing.T) {
	place, dir := os.Getenv(childPlace), os.Getenv(childKeys)
	if place == "" {
		t.Skip("runs in a process made by TestKillStores")
	}
	keys, err := keystore.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer keys.Close()
	f, err := os.Open(filepath.Join(dir, "events.gob"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []events.Recorded
	if err := gob.NewDecoder(f).Decode(&all); err != nil {
		t.Fatal(err)
	}
	store := projectionstest.Place(place).MustOpen(t, projectionstest.Origin)
	m, err := projections.OpenReadModel(t.Context(), store, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	next, err := m.Position(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for rest := all[next:]; len(rest) > 0; rest = rest[min(5, len(rest)):] {
		if err := m.Apply(t.Context(), rest[:min(5, len(rest))]); err != nil {
			t.Fatal(err)
		}
		fmt.Println("committed")
	}
}

// TestKillStores kills a process that projects, wherever it happens to be, until
// one of them gets to the end; then the rows are those of the fold.
func TestKillStores(t *testing.T) {
	s := projectionstest.NewStream(t)
	people := []string{"ada", "grace", "edsger", "barbara"}
	s.Enrol(events.RoleSubject, people...)
	s.Enrol(events.RoleRecipient, "northwind", "contoso")
	for i := range 600 {
		with, who := []string{"northwind", "contoso"}[i%2], []string{people[i%4], people[(i+1)%4]}
		if index := s.Share(with, who...); i%10 == 0 {
			s.Amend(index, with, who...)
		}
	}
	f, err := os.Create(filepath.Join(s.Dir, "events.gob"))
	if err == nil {
		err = errors.Join(gob.NewEncoder(f).Encode(streamed(t, s)), f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	projectionstest.Each(t, func(t *testing.T, e projectionstest.Engine) {
		p := e.New(t)
		for range 5 {
			killProjecting(t, p, s.Dir, 3+rand.IntN(25))
		}
		if err := killProjecting(t, p, s.Dir, -1); err != nil {
			t.Fatalf("the last child: %v", err)
		}
		checkFold(t, s, p.MustOpen(t, projectionstest.Origin))
	})
}

// killProjecting kills a child after so many commits, and never after -1. It does
// not wait for the kill, so the child is anywhere in the pages that follow.
func killProjecting(t *testing.T, p projectionstest.Place, keys string, commits int) error {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProjecting$")
	child.Env = append(os.Environ(), childPlace+"="+string(p), childKeys+"="+keys)
	stdout, err := child.StdoutPipe()
	if err = errors.Join(err, child.Start()); err != nil {
		t.Fatal(err)
	}
	said := 0
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if said++; said == commits {
			child.Process.Kill()
		}
	}
	return child.Wait()
}
