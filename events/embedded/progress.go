package embedded

// progress tells how far a sequence is handled without a gap, when its members
// are begun in order and finished in any.
type progress struct {
	low    int64   // everything up to here is finished
	open   []int64 // begun, in order; the finished ones wait for those before them
	closed map[int64]bool
}

func startProgress(low int64) progress { return progress{low: low, closed: make(map[int64]bool)} }

func (p *progress) begin(n int64) { p.open = append(p.open, n) }

func (p *progress) finish(n int64) {
	p.closed[n] = true
	for len(p.open) > 0 && p.closed[p.open[0]] {
		p.low = p.open[0]
		delete(p.closed, p.low)
		p.open = p.open[1:]
	}
}

// skip begins and finishes a member that nobody has to handle. A run of them
// takes one place in the queue.
func (p *progress) skip(n int64) {
	if last := len(p.open) - 1; last >= 0 && p.closed[p.open[last]] {
		delete(p.closed, p.open[last])
		p.open = p.open[:last]
	}
	p.begin(n)
	p.finish(n)
}
