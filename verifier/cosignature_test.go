package verifier_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/verifier"
)

func cosigner(t testing.TB, name string, seed byte) *verifier.CosignerKey {
	t.Helper()
	k, err := verifier.NewCosignerKey(name, [32]byte{seed})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The vector of docs/formats.md, which transparency-dev/formats (package note)
// verifies too.
const (
	vectorKey  = "witness.example/w1+840e1602+BM7MFQfcHd1ylZUcKQiI8JWtuQRNG3PWlubfBl1oO9T8"
	vectorText = "ledger.example/2026\n7\nAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
	vectorLine = "— witness.example/w1 hA4WAgAAAABrSdIA3/XOB34YSJlWBDsI8cjzhXEb6HHfgPsyAmt/oJL46dzCqJJqPO9Rll1rFxgkjcB1qV/OeFRjoS7CKXHbKx9oBA==\n"
)

func TestCosignatureVector(t *testing.T) {
	k := cosigner(t, "witness.example/w1", 1)
	c := verifier.Checkpoint{Origin: "ledger.example/2026", Size: 7, Root: events.Hash{1}}
	line, err := k.Cosign(c, time.Unix(1_800_000_000, 999))
	if err != nil {
		t.Fatal(err)
	}
	if c.Format() != vectorText || k.String() != vectorKey || line != vectorLine {
		t.Errorf("%q\n%s\n%s", c.Format(), k, line)
	}
	again, err := verifier.ParseCosignerKey(k.Private())
	if err != nil || again.Private() != k.Private() || again.String() != k.String() {
		t.Errorf("the key after Private and ParseCosignerKey: %v, %v", again, err)
	}
}

// TestCosignerKeys: a key has one spelling and one type.
func TestCosignerKeys(t *testing.T) {
	k := cosigner(t, "witness.example/w1", 1)
	vkey := k.String()
	parts := strings.SplitN(vkey, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	plain, err := note.NewEd25519VerifierKey(parts[0], ed25519.PublicKey(raw[1:]))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := verifier.ParseCosigner(vkey); err != nil || got.String() != vkey || got.Name() != parts[0] {
		t.Fatalf("%v, %v", got, err)
	}
	for name, bad := range map[string]string{
		"empty": "", "a note key": plain, "private": k.Private(), "capitals": parts[0] + "+" + strings.ToUpper(parts[1]) + "+" + parts[2],
		"another id": parts[0] + "+00000000+" + parts[2], "another name": "x" + vkey, "a line more": vkey + "\n", "cut": vkey[:len(vkey)-4],
		"no name": strings.TrimPrefix(vkey, parts[0]), "a space": " " + vkey, "spaced id": parts[0] + "+ " + parts[1][1:] + "+" + parts[2],
	} {
		if got, err := verifier.ParseCosigner(bad); err == nil {
			t.Errorf("%s: %v", name, got)
		}
		if got, err := verifier.ParseCosignerKey(bad); err == nil && name != "private" {
			t.Errorf("%s as a private key: %v", name, got)
		}
	}
	if _, err := verifier.ParseCosignerKey(strings.Replace(k.Private(), "w1+", "w2+", 1)); err == nil {
		t.Error("a private key under another name")
	}
	if _, err := verifier.NewCosignerKey("two words", [32]byte{1}); err == nil {
		t.Error("a name with a space")
	}
	for _, at := range []time.Time{{}, time.Unix(0, 0), time.Unix(-5, 0), time.Unix(verifier.MaxCosignatureTime+1, 0)} {
		if line, err := k.Cosign(verifier.Checkpoint{Origin: "x"}, at); err == nil {
			t.Errorf("cosigned at %s: %s", at, line)
		}
	}
}

// TestTake: of an answer only the line of the key that was asked counts.
func TestTake(t *testing.T) {
	c := verifier.Checkpoint{Origin: "ledger.example/2026", Size: 7, Root: events.Hash{1}}
	other := c
	other.Size = 8
	log := newSigner(t, c.Origin, 1)
	signed := string(signNote(t, c.Format(), log))
	w1, w2 := cosigner(t, "witness.example/w1", 1), cosigner(t, "witness.example/w2", 2)
	at := time.Unix(1_800_000_000, 0)
	cosign := func(k *verifier.CosignerKey, c verifier.Checkpoint) string {
		line, err := k.Cosign(c, at)
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	line := cosign(w1, c)
	for name, answer := range map[string]string{"alone": line, "with another": cosign(w2, c) + line} {
		got, when, err := w1.Take(signed, answer)
		if err != nil || got != line || !when.Equal(at) {
			t.Errorf("%s: %q, %s, %v", name, got, when, err)
		}
	}
	for name, answer := range map[string]string{
		"nothing": "", "another's": cosign(w2, c), "of another size": cosign(w1, other), "twice": line + line,
		"no line end": strings.TrimSuffix(line, "\n"), "something after": line + "x", "no dash": strings.TrimPrefix(line, "— "),
	} {
		if got, _, err := w1.Take(signed, answer); err == nil {
			t.Errorf("%s: %q", name, got)
		}
	}
	for bit := range 8 * len(line) {
		b := []byte(line)
		b[bit/8] ^= 1 << (bit % 8)
		if got, _, err := w1.Take(signed, string(b)); err == nil {
			t.Errorf("bit %d flipped: %q", bit, got)
		}
	}
}

// FuzzCosigned adds any lines to a checkpoint that its log and a witness signed.
// Whatever is accepted is signed by the log; the witness counts only with its own
// time; and nobody else counts.
func FuzzCosigned(f *testing.F) {
	c := verifier.Checkpoint{Origin: "ledger.example/2026", Size: 7, Root: events.Hash{1}}
	log := newSigner(f, c.Origin, 1)
	signed := string(signNote(f, c.Format(), log))
	w1, w2 := cosigner(f, "witness.example/w1", 31), cosigner(f, "witness.example/w2", 32)
	line, err := w1.Cosign(c, time.Unix(1_800_000_000, 0))
	if err != nil {
		f.Fatal(err)
	}
	policy, err := verifier.ParsePolicy(fmt.Sprintf("log %s\nwitness w1 %s\nwitness w2 %s\ngroup witnesses any w1 w2\nquorum witnesses\n", log.vkey, w1, w2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed + line)
	f.Add(signed + line + strings.Replace(line, "w1", "w9", 1))
	f.Add(signed)
	f.Fuzz(func(t *testing.T, text string) {
		by, err := policy.Cosigned([]byte(text))
		if err != nil {
			return
		}
		for name, at := range by {
			if name != "w1" || at != 1_800_000_000 || !strings.HasPrefix(text, c.Format()) {
				t.Errorf("%s signed at %d: %q", name, at, text)
			}
		}
		if got, err := verifier.OpenCheckpoint([]byte(text), c.Origin, log.vkey); err == nil && got != c {
			t.Errorf("the log signed %+v: %q", got, text)
		}
	})
}
