package witness_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
	"github.com/sharetrail/sharetrail/verifier/witness"
)

// tree is a log of tests: leaf i is "<salt> i", so another salt is another history.
type tree struct {
	t      testing.TB
	origin string
	signer note.Signer
	vkey   string
	hashes []tlog.Hash
	size   int64
}

func newTree(t testing.TB, origin string) *tree {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return &tree{t: t, origin: origin, signer: signer, vkey: vkey}
}

// fork is another history under the same key, which has the first n leaves.
func (tr *tree) fork(n int64) *tree {
	other := *tr
	other.hashes, other.size = nil, 0
	other.grow("common", n)
	return &other
}

func (tr *tree) ReadHashes(at []int64) (out []tlog.Hash, err error) {
	for _, i := range at {
		out = append(out, tr.hashes[i])
	}
	return out, nil
}

func (tr *tree) grow(salt string, to int64) {
	tr.t.Helper()
	for ; tr.size < to; tr.size++ {
		more, err := tlog.StoredHashes(tr.size, fmt.Appendf(nil, "%s %d", salt, tr.size), tr)
		if err != nil {
			tr.t.Fatal(err)
		}
		tr.hashes = append(tr.hashes, more...)
	}
}

func (tr *tree) checkpoint(size int64) verifier.Checkpoint {
	tr.t.Helper()
	root, err := tlog.TreeHash(size, tr)
	if err != nil {
		tr.t.Fatal(err)
	}
	if size == 0 {
		root = sha256.Sum256(nil)
	}
	return verifier.Checkpoint{Origin: tr.origin, Size: uint64(size), Root: events.Hash(root)}
}

func (tr *tree) note(size int64) string {
	tr.t.Helper()
	b, err := note.Sign(&note.Note{Text: tr.checkpoint(size).Format()}, tr.signer)
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(b)
}

func (tr *tree) request(old, size int64) *witness.Request {
	tr.t.Helper()
	r := &witness.Request{Old: uint64(old), Checkpoint: tr.note(size)}
	if old > 0 && old < size {
		proof, err := tlog.ProveTree(size, old, tr)
		if err != nil {
			tr.t.Fatal(err)
		}
		for _, h := range proof {
			r.Proof = append(r.Proof, events.Hash(h))
		}
	}
	return r
}

func newKey(t testing.TB, name string, seed byte) *verifier.CosignerKey {
	t.Helper()
	k, err := verifier.NewCosignerKey(name, [32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// serve runs a witness on loopback until the test ends or stop is called.
func serve(t testing.TB, cfg witness.Config) (client *witness.Client, stop func()) {
	t.Helper()
	s, err := witness.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	stop = sync.OnceFunc(func() {
		server.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return &witness.Client{URL: server.URL + "/", HTTP: server.Client()}, stop
}

const origin = "ledger.example/2026"

// cosigned asks and wants a valid cosignature.
func cosigned(t *testing.T, c *witness.Client, key *verifier.CosignerKey, r *witness.Request) time.Time {
	t.Helper()
	answer, err := c.AddCheckpoint(t.Context(), r)
	if err != nil {
		t.Fatalf("from size %d: %v", r.Old, err)
	}
	_, at, err := key.Take(r.Checkpoint, answer)
	if err != nil {
		t.Fatalf("the answer %q: %v", answer, err)
	}
	return at
}

// TestStatuses walks through what c2sp.org/tlog-witness says about each status.
func TestStatuses(t *testing.T) {
	log, unknown := newTree(t, origin), newTree(t, "other.example/log")
	log.grow("common", 20)
	unknown.grow("common", 9)
	split := log.fork(5)
	split.grow("split", 20)
	stranger := newTree(t, origin) // another key, the same origin
	stranger.grow("common", 20)
	key := newKey(t, "witness.example/w1", 1)
	now := time.Unix(1_800_000_000, 0)
	c, _ := serve(t, witness.Config{
		Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: t.TempDir(), Now: func() time.Time { return now },
	})
	if _, err := c.Checkpoint(t.Context(), origin); !errors.Is(err, witness.ErrNone) {
		t.Fatalf("before the first: %v", err)
	}
	post := func(body string) (int, string, string) {
		t.Helper()
		resp, err := c.HTTP.Post(strings.TrimSuffix(c.URL, "/")+"/add-checkpoint", "", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, resp.Header.Get("Content-Type"), string(b)
	}
	ask := func(r *witness.Request) (int, string, string) { t.Helper(); return post(string(r.Format())) }

	if got := cosigned(t, c, key, log.request(0, 6)); !got.Equal(now) {
		t.Errorf("cosigned at %s", got)
	}
	empty := log.request(0, 6)
	empty.Proof = []events.Hash{{1}}
	badProof := log.request(6, 20)
	badProof.Proof[0][3] ^= 1
	for name, bad := range map[string]struct {
		r    *witness.Request
		want int
	}{
		"unknown log":            {unknown.request(0, 9), 404},
		"another key":            {stranger.request(6, 20), 403},
		"old above":              {&witness.Request{Old: 21, Checkpoint: log.note(20)}, 400},
		"stale":                  {log.request(4, 20), 409},
		"from nothing":           {log.request(0, 20), 409},
		"same size, other root":  {&witness.Request{Old: 6, Checkpoint: split.note(6)}, 422},
		"grown, split":           {split.request(6, 20), 422},
		"grown, proof altered":   {badProof, 422},
		"grown, no proof":        {&witness.Request{Old: 6, Checkpoint: log.note(20)}, 422},
		"same size, needless":    {&witness.Request{Old: 6, Proof: []events.Hash{{1}}, Checkpoint: log.note(6)}, 422},
		"from nothing, needless": {empty, 409},
		"backwards":              {&witness.Request{Old: 4, Checkpoint: log.note(4)}, 409},
	} {
		status, kind, body := ask(bad.r)
		if status != bad.want || status == 409 && (kind != "text/x.tlog.size" || body != "6\n") {
			t.Errorf("%s: %d %s %q", name, status, kind, body)
		}
	}
	for name, body := range map[string]string{
		"empty":           "",
		"no checkpoint":   "old 6\n\n",
		"leading zero":    strings.Replace(string(log.request(6, 20).Format()), "old 6", "old 06", 1),
		"no old":          strings.Replace(string(log.request(6, 20).Format()), "old ", "", 1),
		"a short hash":    strings.Replace(string(log.request(6, 20).Format()), "=\n", "\n", 1),
		"64 hashes":       "old 6\n" + strings.Repeat(events.Hash{}.String()+"\n", 64) + "\n" + log.note(20),
		"larger":          "old 6\n\n" + log.note(20) + strings.Repeat(" ", 16<<10),
		"an extension":    string((&witness.Request{Old: 6, Checkpoint: extended(t, log, 20)}).Format()),
		"carriage return": strings.ReplaceAll(string(log.request(6, 20).Format()), "\n", "\r\n"),
	} {
		if status, _, _ := post(body); status != 400 && !(status == 404 && (name == "empty" || name == "no checkpoint" || name == "carriage return")) {
			t.Errorf("%s: %d", name, status)
		}
	}
	// Nothing of all that changed what it knows.
	cosigned(t, c, key, log.request(6, 20))
	// The same again is fresh: nothing newer was seen.
	now = now.Add(time.Hour)
	if got := cosigned(t, c, key, log.request(20, 20)); !got.Equal(now) {
		t.Errorf("cosigned again at %s", got)
	}
	shown, err := c.Checkpoint(t.Context(), origin)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := verifier.OpenCheckpoint([]byte(shown), origin, log.vkey); err != nil || got != log.checkpoint(20) {
		t.Errorf("shown %+v, %v", got, err)
	}
	if !strings.Contains(shown, "— witness.example/w1 ") {
		t.Errorf("shown without its cosignature:\n%s", shown)
	}
	for _, path := range []string{"/checkpoint", "/" + hex.EncodeToString(make([]byte, 32)) + "/checkpoint", "/add-checkpoint"} {
		resp, err := c.HTTP.Get(strings.TrimSuffix(c.URL, "/") + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
	}
}

func extended(t *testing.T, tr *tree, size int64) string {
	t.Helper()
	b, err := note.Sign(&note.Note{Text: tr.checkpoint(size).Format() + "more\n"}, tr.signer)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEmptyTree: a checkpoint of size zero has one root.
func TestEmptyTree(t *testing.T) {
	log := newTree(t, origin)
	log.grow("common", 3)
	key := newKey(t, "witness.example/w1", 1)
	c, _ := serve(t, witness.Config{Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: t.TempDir()})
	wrong := log.checkpoint(3)
	wrong.Size = 0
	b, err := note.Sign(&note.Note{Text: wrong.Format()}, log.signer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AddCheckpoint(t.Context(), &witness.Request{Checkpoint: string(b)}); !errors.Is(err, witness.ErrConflict) {
		t.Errorf("a wrong root of nothing: %v", err)
	}
	cosigned(t, c, key, log.request(0, 0))
	cosigned(t, c, key, log.request(0, 3))
}

// TestRestart: what was signed survives, and so does the refusal of anything else;
// one process at a time; only with the key that signed.
func TestRestart(t *testing.T) {
	log := newTree(t, origin)
	log.grow("common", 30)
	split := log.fork(2)
	split.grow("split", 30)
	key := newKey(t, "witness.example/w1", 1)
	cfg := witness.Config{Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: t.TempDir()}
	c, stop := serve(t, cfg)
	cosigned(t, c, key, log.request(0, 7))
	if _, err := witness.Open(cfg); err == nil {
		t.Fatal("two witnesses share a directory")
	}
	stop()
	c, stop = serve(t, cfg)
	if _, err := c.AddCheckpoint(t.Context(), split.request(7, 30)); !errors.Is(err, witness.ErrConflict) {
		t.Errorf("another history after a restart: %v", err)
	}
	var size *witness.SizeError
	if _, err := c.AddCheckpoint(t.Context(), split.request(0, 30)); !errors.As(err, &size) || size.Size != 7 {
		t.Errorf("a first contact after a restart: %v", err)
	}
	cosigned(t, c, key, log.request(7, 30))
	stop()
	other := cfg
	other.Key = newKey(t, "witness.example/w1", 2)
	if _, err := witness.Open(other); err == nil {
		t.Error("another key went on with what was signed")
	}
	other = cfg
	other.Logs = []witness.Log{{Origin: origin, Key: newTree(t, origin).vkey}}
	if _, err := witness.Open(other); err == nil {
		t.Error("another log's key went on with what was signed")
	}
	sum := sha256.Sum256([]byte(origin))
	path := filepath.Join(cfg.Dir, hex.EncodeToString(sum[:])+".checkpoint")
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for bit := 0; bit < 8*len(stored); bit += 7 { // a damaged state is never taken for an older one
		stored[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, stored, 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := witness.Open(cfg); err == nil {
			t.Errorf("opened with bit %d of its state flipped", bit)
			s.Close()
		}
		stored[bit/8] ^= 1 << (bit % 8)
	}
	for n := 0; n < len(stored); n += 1 + len(stored)/20 {
		if err := os.WriteFile(path, stored[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := witness.Open(cfg); err == nil {
			t.Errorf("opened with its state cut to %d bytes", n)
			s.Close()
		}
	}
}

// TestRace: of many that ask at once from one size, to different sizes and
// histories, all that are signed are one history.
func TestRace(t *testing.T) {
	log := newTree(t, origin)
	log.grow("common", 40)
	split := log.fork(8)
	split.grow("split", 40)
	key := newKey(t, "witness.example/w1", 1)
	c, _ := serve(t, witness.Config{Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: t.TempDir()})
	cosigned(t, c, key, log.request(0, 8))
	var requests []*witness.Request
	for size := int64(9); size < 40; size++ {
		requests = append(requests, log.request(8, size), split.request(8, size))
	}
	signed := make(chan string, len(requests))
	var all sync.WaitGroup
	for _, r := range requests {
		all.Go(func() {
			if _, err := c.AddCheckpoint(context.WithoutCancel(t.Context()), r); err == nil {
				signed <- r.Checkpoint
			}
		})
	}
	all.Wait()
	if len(signed) != 1 {
		t.Errorf("%d of %d that continue size 8 were signed", len(signed), len(requests))
	}
}

// TestBefore: whoever must first look refuses, and nothing is signed or stored.
func TestBefore(t *testing.T) {
	log := newTree(t, origin)
	log.grow("common", 9)
	key := newKey(t, "auditor.example/a1", 1)
	var says error
	var asked []uint64
	c, _ := serve(t, witness.Config{
		Key: key, Logs: []witness.Log{{Origin: origin, Key: log.vkey}}, Dir: t.TempDir(),
		Before: func(_ context.Context, old uint64, cp verifier.Checkpoint, signed string) error {
			if got, err := verifier.OpenCheckpoint([]byte(signed), origin, log.vkey); err != nil || got != cp {
				t.Errorf("asked about %+v with %+v, %v", cp, got, err)
			}
			asked = append(asked, old, cp.Size)
			return says
		},
	})
	cosigned(t, c, key, log.request(0, 3))
	says = errors.New("busy")
	if _, err := c.AddCheckpoint(t.Context(), log.request(3, 9)); err == nil || errors.Is(err, witness.ErrConflict) {
		t.Errorf("put off: %v", err)
	}
	says = fmt.Errorf("index root: %w", witness.ErrFault)
	if _, err := c.AddCheckpoint(t.Context(), log.request(3, 9)); !errors.Is(err, witness.ErrConflict) {
		t.Errorf("at fault: %v", err)
	}
	says = nil
	cosigned(t, c, key, log.request(3, 9))
	if fmt.Sprint(asked) != "[0 3 3 9 3 9 3 9]" {
		t.Errorf("asked about %v", asked)
	}
}

// TestOwnKey: a log cannot be its own witness.
func TestOwnKey(t *testing.T) {
	seed := [32]byte{9}
	key, err := verifier.NewCosignerKey(origin, seed)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := witness.Open(witness.Config{Key: key, Dir: t.TempDir(), Logs: []witness.Log{{Origin: origin, Key: logKey(t, origin, seed)}}}); err == nil {
		t.Error("a log is its own witness")
	}
	twice := newTree(t, origin)
	l := witness.Log{Origin: origin, Key: twice.vkey}
	if _, err := witness.Open(witness.Config{Key: key, Dir: t.TempDir(), Logs: []witness.Log{l, l}}); err == nil {
		t.Error("one log twice")
	}
}
