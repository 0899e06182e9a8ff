package tiles

import (
	"errors"
	"fmt"
)

// ErrLost says that a file is missing or was cut. A writer makes it again.
var ErrLost = errors.New("missing or cut")

// Compare returns a writer that compares a directory with the leaves that are
// added, and writes nothing. Flush and Sync return ErrLost or a *DifferentError.
func Compare(dir string) *Writer { return newWriter(comparison(dir)) }

// comparison is the store of such a writer.
type comparison string

// put implements store. The first difference is that of the lowest leaf: files
// come in the order in which leaves fill them.
func (c comparison) put(files []file) error {
	faults := make([]error, len(files))
	err := each(len(files), func(i int) error {
		missing, err := directory(c).compare(files[i])
		if different := (*DifferentError)(nil); errors.As(err, &different) {
			faults[i], err = different, nil
		}
		if missing {
			faults[i] = fmt.Errorf("%s: %w", files[i].path, ErrLost)
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, fault := range faults {
		if fault != nil {
			return fault
		}
	}
	return nil
}
