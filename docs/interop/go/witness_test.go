package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"
	"github.com/transparency-dev/formats/log"
	cosign "github.com/transparency-dev/formats/note"
	wclient "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/persistence/inmemory"
	"github.com/transparency-dev/witness/witness"
	"golang.org/x/mod/sumdb/note"
)

// key is that of a witness of somebody else's.
func key(t *testing.T, name string) (secret, vkey string) {
	t.Helper()
	secret, public, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	if vkey, err = cosign.VKeyToCosignatureV1(public); err != nil {
		t.Fatal(err)
	}
	return secret, vkey
}

// theirs runs transparency-dev's witness in process.
func theirs(t *testing.T, shows note.Verifier) (address, vkey string) {
	t.Helper()
	secret, vkey := key(t, "witness.example/theirs")
	signer, err := cosign.NewSignerForCosignatureV1(secret)
	if err != nil {
		t.Fatal(err)
	}
	w, err := witness.New(t.Context(), witness.Opts{
		Persistence: inmemory.New(), Signers: []note.Signer{signer},
		VerifierForLog: func(_ context.Context, o string) (note.Verifier, bool, error) { return shows, o == origin, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /add-checkpoint", witness.NewHTTPHandler(w).AddCheckpoint)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s.URL + "/", vkey
}

func sizeOf(t *testing.T, l *ledger, checkpoint []byte) uint64 {
	t.Helper()
	c, _, _, err := log.ParseCheckpoint(checkpoint, origin, l.shows)
	if err != nil {
		t.Fatal(err)
	}
	return c.Size
}

// TestWitness sends our checkpoints with their client: growth and refresh are
// signed, another history of the same ledger is not.
func TestWitness(t *testing.T) {
	l := newLedger(t)
	address, vkey := theirs(t, l.shows)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	w := wclient.NewWitness(u, http.DefaultClient)
	verifier, err := cosign.NewVerifierForCosignatureV1(vkey)
	if err != nil {
		t.Fatal(err)
	}
	accept := func(what string, old uint64, checkpoint []byte, proof [][]byte) {
		t.Helper()
		lines, _, err := w.Update(t.Context(), old, checkpoint, proof)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if _, err := note.Open(append(append([]byte(nil), checkpoint...), lines...), note.VerifierList(verifier)); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	first := l.checkpoint(t)
	a := sizeOf(t, l, first)
	accept("the first", 0, first, nil)
	backup := l.copied(t)
	l.grow(t, 40)
	second := l.checkpoint(t)
	b := sizeOf(t, l, second)
	accept("growth", a, second, l.consistency(t, t.Context(), a, b))
	accept("the same again", b, second, nil)
	if _, size, err := w.Update(t.Context(), a, second, l.consistency(t, t.Context(), a, b)); !errors.Is(err, witness.ErrCheckpointStale) || size != b {
		t.Errorf("an old size: %d, %v", size, err)
	}
	// The backup goes on by itself: other leaves under the same key.
	backup.grow(t, 90)
	split := backup.checkpoint(t)
	d := sizeOf(t, backup, split)
	if d <= b {
		t.Fatalf("the other history has %d leaves, this one %d", d, b)
	}
	if _, _, err := w.Update(t.Context(), b, split, backup.consistency(t, t.Context(), b, d)); err == nil {
		t.Error("another history was signed")
	}
	if _, _, err := w.Update(t.Context(), b, split, backup.consistency(t, t.Context(), a, d)); err == nil {
		t.Error("another history was signed with a proof from where they part")
	}
}

// TestLedgerAsksWitness: the ledger itself has a witness of theirs sign what it
// publishes, and their policy takes it. Its split view is refused.
func TestLedgerAsksWitness(t *testing.T) {
	l := newLedger(t)
	address, vkey := theirs(t, l.shows)
	asks(t, l, address, vkey)
	backup := l.copied(t)
	l.grow(t, 20)
	out, err := backup.try("import", "jsonl", shares(t, 30, 99), "--wait", "published")
	if err == nil || !strings.Contains(out, "ALARM: a cosigner refuses this ledger's history") {
		t.Errorf("another history: %v\n%s", err, out)
	}
}

// asks puts a policy with a witness in force, and checks what is published then.
func asks(t *testing.T, l *ledger, address, vkey string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy")
	if err := os.WriteFile(file, fmt.Appendf(nil, "witness w1 %s %s\ngroup witnesses all w1\nquorum witnesses\n", vkey, address), 0o600); err != nil {
		t.Fatal(err)
	}
	l.run(t, "policy", "set", file)
	l.grow(t, 20)
	var trust struct{ Policy string }
	l.trust(t, &trust)
	policy, err := torchwood.ParsePolicy([]byte(trust.Policy))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := torchwood.VerifyCheckpoint(l.checkpoint(t), policy); err != nil {
		t.Errorf("what was published with a witness: %v\n%s", err, l.checkpoint(t))
	}
}

// shares writes a file to import.
func shares(t *testing.T, n, seed int) string {
	t.Helper()
	rows, err := exec.Command(program(t, "../../..", "./cmd/sharetrail"), "generate", "--shares", itoa(n), "--seed", itoa(seed)).Output()
	file := filepath.Join(t.TempDir(), "shares.jsonl")
	if err == nil {
		err = os.WriteFile(file, rows, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestOmniwitness: the same with the program that witnesses run, on loopback.
func TestOmniwitness(t *testing.T) {
	l := newLedger(t)
	var trust struct{ Log string }
	l.trust(t, &trust)
	secret, vkey := key(t, "witness.example/omni")
	dir := t.TempDir()
	for name, content := range map[string]string{
		"key":  secret,
		"logs": fmt.Sprintf("Logs:\n  - Origin: %s\n    PublicKey: %s\n    URL: https://sharetrail.example/log/\n", origin, trust.Log),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := free(t)
	cmd := exec.Command(program(t, ".", "github.com/transparency-dev/witness/cmd/omniwitness"), "-listen", address, "-metrics_listen", "",
		"-db_file", filepath.Join(dir, "db"), "-private_key_path", filepath.Join(dir, "key"), "-additional_logs", filepath.Join(dir, "logs"), "-rest_distro_url", "")
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
	})
	for {
		resp, err := http.Get("http://" + address + "/")
		if err == nil {
			io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			break
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("the witness ended: %v\n%s", err, said.String())
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	asks(t, l, "http://"+address+"/", vkey)
}

// free is an address on which nobody listens.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
