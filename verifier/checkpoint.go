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

// OpenCheckpoint checks the ledger's signature on a checkpoint note. Whoever else
// signed it is not looked at here: for that, [Policy.Cosigned].
func OpenCheckpoint(b []byte, origin, vkey string) (Checkpoint, error) {
	text, lines, err := splitNote(b)
	if err != nil {
		return Checkpoint{}, err
	}
	if err := signedBy(text, lines, vkey); err != nil {
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

// CheckpointIn returns the signed checkpoint in a file that a reader kept: the
// checkpoint itself, or a report, whose last part has one. It checks only the
// form; what it is worth is found against what is pinned.
func CheckpointIn(file []byte) (string, error) {
	if _, doc, err := splitReport(file); err == nil {
		report, _, err := parseReport(doc)
		if err != nil {
			return "", err
		}
		return report.Parts[len(report.Parts)-1].Checkpoint, nil
	}
	text, _, found := strings.Cut(string(file), "\n\n")
	if _, err := ParseCheckpoint(text + "\n"); err != nil || !found {
		return "", ErrCheckpoint
	}
	return string(file), nil
}
