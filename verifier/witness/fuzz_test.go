package witness_test

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// logKey is the vkey of a log that signs with this seed.
func logKey(t testing.TB, name string, seed [32]byte) string {
	t.Helper()
	vkey, err := note.NewEd25519VerifierKey(name, ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// FuzzParseRequest: what is accepted is what Format gives.
func FuzzParseRequest(f *testing.F) {
	log := newTree(f, origin)
	log.grow("common", 9)
	f.Add(log.request(3, 9).Format())
	f.Add(log.request(0, 9).Format())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := witness.ParseRequest(b)
		if err != nil {
			if !errors.Is(err, witness.ErrRequest) {
				t.Errorf("error %v", err)
			}
			return
		}
		if !bytes.Equal(r.Format(), b) {
			t.Errorf("%q parses as %+v", b, r)
		}
	})
}

// FuzzAddCheckpoint sends anything to a witness that has signed size 5. Whatever it
// signs is the log's own checkpoint, and continues that one.
func FuzzAddCheckpoint(f *testing.F) {
	log := newTree(f, origin)
	log.grow("common", 9)
	split := log.fork(2)
	split.grow("split", 9)
	key := newKey(f, "witness.example/w1", 1)
	s, err := witness.Open(witness.Config{Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: f.TempDir()})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { s.Close() })
	handler := s.Handler()
	post := func(b []byte) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/add-checkpoint", bytes.NewReader(b)))
		return w
	}
	if w := post(log.request(0, 5).Format()); w.Code != http.StatusOK {
		f.Fatal(w.Code)
	}
	f.Add(log.request(5, 5).Format())
	f.Add(split.request(5, 9).Format())
	f.Add(split.request(0, 9).Format())
	honest := map[verifier.Checkpoint]bool{}
	for size := range int64(10) {
		honest[log.checkpoint(size)] = true
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := post(b)
		switch w.Code {
		case http.StatusOK:
			r, err := witness.ParseRequest(b)
			if err != nil {
				t.Fatalf("signed %q", b)
			}
			if c, err := verifier.OpenCheckpoint([]byte(r.Checkpoint), origin, log.vkey); err != nil || !honest[c] {
				t.Errorf("signed %+v, %v", c, err)
			}
		case 400, 403, 404, 409, 422:
		default:
			t.Errorf("status %d for %q", w.Code, b)
		}
	})
}
