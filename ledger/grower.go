package ledger

import "github.com/sharetrail/sharetrail/ledger/index"

// growLabels is how many labels are worth a goroutine: about ten milliseconds of
// hashing.
const growLabels = 2048

// grower inserts the labels of folded events into the index while the writer
// goes on, so that a state leaf, for which everybody waits, has only the last
// few to insert. It belongs to the writer.
//
// It holds what the state has folded and nothing else: a batch whose append
// fails leaves no trace here.
type grower struct {
	tree    *index.Tree   // the last state's, and the labels handed over since
	fresh   []index.Entry // labels not yet handed over
	all     []index.Entry // labels since the last state
	running chan grown    // not nil while a goroutine inserts; it gives one answer
}

type grown struct {
	tree *index.Tree
	err  error
}

// add takes the label of a folded event.
func (g *grower) add(e index.Entry) { g.all, g.fresh = append(g.all, e), append(g.fresh, e) }

// step hands the labels over if there are many. It waits for the goroutine of
// the last time, which is done unless the writer is much faster than the index.
func (g *grower) step() error {
	if len(g.fresh) < growLabels {
		return nil
	}
	if err := g.join(); err != nil {
		return err
	}
	tree, batch, done := g.tree, g.fresh, make(chan grown, 1)
	g.fresh, g.running = nil, done
	go func() {
		tree, err := tree.Insert(batch)
		done <- grown{tree, err}
	}()
	return nil
}

func (g *grower) join() error {
	if g.running == nil {
		return nil
	}
	made := <-g.running
	if made.err != nil {
		g.running <- made // whoever asks again gets the same answer
		return made.err
	}
	g.tree, g.running = made.tree, nil
	return nil
}

// with returns the index of all labels taken and some more, which are not kept.
func (g *grower) with(more []index.Entry) (*index.Tree, error) {
	if err := g.join(); err != nil {
		return nil, err
	}
	return g.tree.Insert(append(g.fresh[:len(g.fresh):len(g.fresh)], more...))
}

// rest sets the index that a state leaf has confirmed.
func (g *grower) rest(tree *index.Tree) { *g = grower{tree: tree} }
