package ledger

import (
	"encoding/binary"
	"errors"

	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/ledger/index"
)

// The label index on disk is committed at each state leaf, under that leaf's
// index. It is a function of the stream: what a crash takes of it is inserted
// again, and what was changed is noticed, because each state leaf says the root.

func indexMark(covered uint64) []byte { return binary.BigEndian.AppendUint64(nil, covered) }

// coveredBy is the inverse; everything else is beyond any stream.
func coveredBy(mark []byte) uint64 {
	if len(mark) != 8 {
		return 1<<64 - 1
	}
	return binary.BigEndian.Uint64(mark)
}

// openIndex opens the newest version of the index that a state leaf up to the
// given one covers. It has the labels of all events before covered; 0 means that
// it is empty, because there was none or it is of no use.
func (l *Ledger) openIndex(at uint64) (covered uint64, err error) {
	if l.indexDir == "" {
		return 0, l.emptyIndex()
	}
	l.closeIndex()
	store, err := index.Open(index.Config{
		Dir: l.indexDir, Settled: l.settled,
		Accept: func(mark []byte) bool { return coveredBy(mark) <= at },
	})
	if errors.Is(err, index.ErrDamaged) || errors.Is(err, index.ErrNoMark) {
		l.log.Error("the label index is of no use and is built again", zap.Error(err))
		return 0, l.emptyIndex()
	}
	if err != nil {
		return 0, err
	}
	if cut := store.Cut(); cut != "" {
		l.log.Warn("the label index ends early; the rest is inserted again", zap.String("why", cut))
	}
	l.setIndex(store)
	if store.Tree().Len() == 0 {
		return 0, nil
	}
	return coveredBy(store.Mark()), nil
}

// emptyIndex begins a new index.
func (l *Ledger) emptyIndex() error {
	l.closeIndex()
	if l.indexDir != "" {
		if err := index.Discard(l.indexDir); err != nil {
			return err
		}
	}
	store, err := index.Open(index.Config{Dir: l.indexDir, Settled: l.settled})
	if err == nil {
		l.setIndex(store)
	}
	return err
}

func (l *Ledger) setIndex(store *index.Store) {
	l.labels, l.state.tree = store, store.Tree()
	l.state.grower.rest(l.state.tree)
}

// closeIndex closes what another one takes the place of.
func (l *Ledger) closeIndex() {
	if err := l.labels.Close(); err != nil {
		l.log.Warn("closing the label index", zap.Error(err))
	}
}

// settled reports whether no start will ask for an index before the one under a
// mark: state.db reaches over that state leaf, and it is published.
func (l *Ledger) settled(mark []byte) bool {
	covered := coveredBy(mark)
	return l.file == nil || covered < l.state.shown && l.file.has(covered)
}

// keepLabels commits the index that a state leaf confirms, and returns it. An index
// that cannot be written costs time at the next start, nothing else, so the ledger
// goes on.
func (l *Ledger) keepLabels(tree *index.Tree, fresh []index.Entry, covered uint64) (*index.Tree, error) {
	err := l.labels.Commit(tree, fresh, indexMark(covered))
	if errors.Is(err, index.ErrDamaged) || errors.Is(err, index.ErrDuplicate) {
		return nil, l.unsound(err)
	}
	if err != nil {
		l.log.Warn("the label index was not written; it will be with the next state leaf", zap.Error(err))
	}
	return l.labels.Tree(), nil
}

// unsound discards the index if an error says that its files were changed: the
// next start builds it again. It returns the error.
func (l *Ledger) unsound(err error) error {
	if err == nil || !errors.Is(err, index.ErrDamaged) || l.indexDir == "" {
		return err
	}
	l.log.Error("the label index on disk was changed; it is discarded, and the next start builds it again", zap.Error(err))
	return errors.Join(err, index.Discard(l.indexDir))
}
