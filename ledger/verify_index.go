package ledger

import (
	"errors"
	"os"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// rebuildIndex is what to do about an index that differs.
const rebuildIndex = "; delete the directory, and the next start builds it again"

// openIndexed opens the label index on disk as it is, and reads all of it.
func (v *verifying) openIndexed(dir string) error {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		dir = "" // nothing to compare, and nothing is made
	}
	store, err := index.Open(index.Config{Dir: dir, ReadOnly: true})
	if err == nil {
		if err = store.Tree().Check(); err != nil {
			err = errors.Join(err, store.Close())
		}
	}
	if errors.Is(err, index.ErrDamaged) {
		return &Fault{0, "the label index (index) was changed" + rebuildIndex, err}
	}
	v.indexed = store
	return err
}

// compareIndex compares the index on disk with what the leaves give, at the state
// leaf it is of.
func (v *verifying) compareIndex(at uint64) error {
	theirs, ours := v.indexed.Tree(), v.state.tree
	if v.indexed.Mark() == nil || coveredBy(v.indexed.Mark()) != at {
		return nil
	}
	if theirs.Root() != ours.Root() || theirs.Len() != ours.Len() {
		return &Fault{at, "the label index (index) has other labels than the leaves before this state leaf" + rebuildIndex, nil}
	}
	v.found.Labels = theirs.Len()
	return nil
}
