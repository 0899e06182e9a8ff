package tiles

import (
	"context"
	"iter"
)

// leavesAhead is how many bundles are read before they are wanted.
const leavesAhead = 8

// bundleRead is what became of reading one bundle.
type bundleRead struct {
	entries [][]byte
	err     error
}

// Leaves yields the leaves from one index to before another, of a log of size to.
// They prove nothing: whoever reads them hashes them. An error ends it.
func Leaves(ctx context.Context, s Source, from, to uint64) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		queue := make(chan chan bundleRead, leavesAhead)
		go func() {
			defer close(queue)
			for n := from / Width; n*Width < to; n++ {
				read := make(chan bundleRead, 1)
				select {
				case queue <- read:
				case <-ctx.Done():
					return
				}
				go func() {
					entries, err := ReadEntries(ctx, s, n, int(min(Width, to-n*Width)))
					read <- bundleRead{entries, err}
				}()
			}
		}()
		skip := int(from % Width)
		for read := range queue {
			b := <-read
			if b.err != nil {
				yield(nil, b.err)
				return
			}
			for _, entry := range b.entries[skip:] {
				if !yield(entry, nil) {
					return
				}
			}
			skip = 0
		}
		if err := context.Cause(ctx); err != nil {
			yield(nil, err)
		}
	}
}
