package verifier

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/sharetrail/sharetrail/events"
)

// ErrCheckpoint says that some text is not a checkpoint.
var ErrCheckpoint = errors.New("malformed checkpoint")

// Checkpoint is the body of a c2sp.org/tlog-checkpoint without extension
// lines: the ledger's commitment to its first Size leaves.
type Checkpoint struct {
	Origin string
	Size   uint64
	Root   events.Hash
}

// Format returns the text that is signed.
func (c Checkpoint) Format() string {
	return fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
}

// ParseCheckpoint is the inverse of [Checkpoint.Format].
func ParseCheckpoint(text string) (Checkpoint, error) {
	lines := strings.Split(text, "\n")
	if len(lines) != 4 || !validOrigin(lines[0]) {
		return Checkpoint{}, ErrCheckpoint
	}
	c := Checkpoint{Origin: lines[0]}
	// From 2^62 on the arithmetic of package tlog overflows and never ends.
	size, err := strconv.ParseUint(lines[1], 10, 62)
	if err != nil || c.Root.UnmarshalText([]byte(lines[2])) != nil {
		return Checkpoint{}, ErrCheckpoint
	}
	if c.Size = size; c.Format() != text {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}

// OpenCheckpoint checks the ledger's signature on a checkpoint note.
func OpenCheckpoint(b []byte, origin, vkey string) (Checkpoint, error) {
	text, err := openNote(b, vkey)
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := ParseCheckpoint(text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, ErrCheckpoint
	}
	return c, nil
}
