package main

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	mathrand "math/rand/v2"
	"sync"
)

// entropy is what everything random in this binary is drawn from: the system's, or
// between begin and end one that two runs have alike. testing/cryptotest cannot be
// begun anew while goroutines draw.
var entropy = drawn{system: rand.Reader}

type drawn struct {
	system io.Reader

	mu    sync.Mutex
	alike *mathrand.ChaCha8
}

// Read implements io.Reader.
func (d *drawn) Read(b []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.alike != nil {
		return d.alike.Read(b)
	}
	return d.system.Read(b)
}

// begin has what follows drawn by a number alone.
func (d *drawn) begin(n uint64) {
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], n)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alike = mathrand.NewChaCha8(seed)
}

// end goes back to the system's.
func (d *drawn) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.alike = nil
}
