package keystore

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	vrf "filippo.io/mostly-harmless/vrf-r255"
	"golang.org/x/mod/sumdb/note"
)

// Secrets are the ledger's own keys.
type Secrets struct {
	Ledger [32]byte // authenticates event ids and events
	VRF    *vrf.PrivateKey
	Log    note.Signer // signs checkpoints; its name is the origin
	Report note.Signer // signs reports; its name is origin/report
	// LogVerifier and ReportVerifier are the public halves as C2SP vkeys.
	LogVerifier, ReportVerifier string

	macs sync.Pool // of HMACs under Ledger, whose key is hashed once
}

// The names under which secrets are stored.
const (
	secretOrigin = "origin"
	secretLedger = "ledger"
	secretVRF    = "vrf"
	secretLog    = "log"
	secretReport = "report"
)

// ErrNoLedger says that the keystore belongs to no ledger yet.
var ErrNoLedger = errors.New("the keystore holds no ledger")

// Origin returns the origin of the keystore's ledger, or ErrNoLedger.
func (s *Store) Origin(ctx context.Context) (string, error) {
	b, err := s.secret(ctx, secretOrigin)
	return string(b), err
}

// Create makes the secrets of a new ledger, all in one transaction.
func (s *Store) Create(ctx context.Context, origin string) error {
	if _, _, err := signer(origin, random(ed25519.SeedSize)); err != nil {
		return fmt.Errorf("creating the ledger's keys: %q cannot be an origin: %w", origin, err)
	}
	tx, err := s.db.Write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("creating the ledger's keys: %w", err)
	}
	defer tx.Rollback()
	for name, value := range map[string][]byte{
		secretOrigin: []byte(origin),
		secretLedger: random(32),
		secretVRF:    vrf.GenerateKey().Bytes(),
		secretLog:    random(ed25519.SeedSize),
		secretReport: random(ed25519.SeedSize),
	} {
		wrapped := seal(s.wrap, value, []byte("secret "+name))
		if _, err := tx.ExecContext(ctx, "INSERT INTO secret (name, wrapped) VALUES (?, ?)", name, wrapped); err != nil {
			return fmt.Errorf("creating the ledger's keys: %w", err)
		}
	}
	return tx.Commit()
}

// Secrets returns the ledger's keys, or ErrNoLedger.
func (s *Store) Secrets(ctx context.Context) (*Secrets, error) {
	out := new(Secrets)
	values := map[string][]byte{}
	for _, name := range []string{secretOrigin, secretLedger, secretVRF, secretLog, secretReport} {
		b, err := s.secret(ctx, name)
		if err != nil {
			return nil, err
		}
		values[name] = b
	}
	origin := string(values[secretOrigin])
	var err error
	if out.VRF, err = vrf.NewPrivateKey(values[secretVRF]); err != nil {
		return nil, fmt.Errorf("reading the VRF key: %w", err)
	}
	if out.Log, out.LogVerifier, err = signer(origin, values[secretLog]); err != nil {
		return nil, fmt.Errorf("reading the log key: %w", err)
	}
	if out.Report, out.ReportVerifier, err = signer(origin+"/report", values[secretReport]); err != nil {
		return nil, fmt.Errorf("reading the report key: %w", err)
	}
	out.Ledger = [32]byte(values[secretLedger])
	return out, nil
}

func (s *Store) secret(ctx context.Context, name string) ([]byte, error) {
	var wrapped []byte
	err := s.db.Read.QueryRowContext(ctx, "SELECT wrapped FROM secret WHERE name = ?", name).Scan(&wrapped)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNoLedger
	}
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", name, err)
	}
	b, err := open(s.wrap, wrapped, []byte("secret "+name))
	if err != nil {
		return nil, fmt.Errorf("unwrapping the key %s: %w", name, ErrKeyMissing)
	}
	return b, nil
}

// signer makes an Ed25519 signer of C2SP signed notes from a seed.
func signer(name string, seed []byte) (note.Signer, string, error) {
	const algEd25519 = 1
	key := ed25519.NewKeyFromSeed(seed)
	pub := append([]byte{algEd25519}, key.Public().(ed25519.PublicKey)...)
	h := sha256.New()
	h.Write([]byte(name + "\n"))
	h.Write(pub)
	id := binary.BigEndian.Uint32(h.Sum(nil))
	priv := append([]byte{algEd25519}, seed...)
	skey := fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", name, id, base64.StdEncoding.EncodeToString(priv))
	s, err := note.NewSigner(skey)
	if err != nil {
		return nil, "", err
	}
	vkey := strings.Join([]string{name, fmt.Sprintf("%08x", id), base64.StdEncoding.EncodeToString(pub)}, "+")
	return s, vkey, nil
}
