package ledgertest

import "github.com/sharetrail/sharetrail/events"

// windows wants what the rules say of the entries between two state leaves: with
// cover all have the time of the first, and there are no fewer than it says. Without,
// there are no covers.
func (a *Audit) windows() {
	a.t.Helper()
	var began *events.Leaf
	entries := 0
	for i, leaf := range a.leaves {
		switch leaf.Kind {
		case events.KindState:
			if began != nil && entries < a.rules.Cover {
				a.fatal(i, "it ends a window of %d entries, and the rules promise %d", entries, a.rules.Cover)
			}
			began, entries = leaf, 0
		case events.KindEntry:
			entries++
			if a.rules.Cover > 0 && leaf.TimeMS != began.TimeMS {
				a.fatal(i, "it is dated %d in the window of %d", leaf.TimeMS, began.TimeMS)
			}
			if a.rules.Cover == 0 && a.recorded[i].Type == events.TypeCover {
				a.fatal(i, "it is a cover, and the rules promise none")
			}
		}
	}
}

// Windows counts the windows of the stream by how many entries they have that are no
// covers, and those among them that have as many entries as the rules promise.
func (a *Audit) Windows() (all, alike map[int]int) {
	all, alike = map[int]int{}, map[int]int{}
	entries, real := 0, 0
	for i, leaf := range a.leaves {
		switch {
		case leaf.Kind == events.KindState && i > 0:
			all[real]++
			if entries == a.rules.Cover {
				alike[real]++
			}
			entries, real = 0, 0
		case leaf.Kind == events.KindEntry:
			entries++
			if a.recorded[i].Type != events.TypeCover {
				real++
			}
		}
	}
	return all, alike
}
