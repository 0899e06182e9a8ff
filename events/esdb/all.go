package esdb

import (
	"context"
	"fmt"
	"iter"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"

	"github.com/sharetrail/sharetrail/events"
)

// Position is a place in $all, the log of all streams of one cluster. It only
// grows, but nobody can count with it, and it means nothing to another cluster.
// Keep both numbers. The zero value is before the first event.
type Position struct{ Commit, Prepare uint64 }

// Located is an event with its place in $all.
type Located struct {
	events.Recorded
	Position Position
}

// AllPage is a page of $all: events, and where to go on. Behind a filter it may
// hold no event and only tell that Next has moved on.
type AllPage struct {
	Events []Located
	Next   Position // resume from here: the place of what was seen last
}

// checkpointEvery is how many events of other streams the server looks at
// before it says how far it is, in units of 32.
const checkpointEvery = 32

// All yields $all behind position from, exclusive, in pages of at most max
// events: first what exists, then what comes. With prefixes it yields only the
// events of streams whose names begin with one of them. Without, there are
// system events too, whose types begin with $ or do not. A subscription that
// drops is taken up again behind the last page.
//
// It ends like Follow. A real server wants the role $admins for it.
func (s *Store) All(ctx context.Context, from Position, max int, prefixes ...string) iter.Seq2[AllPage, error] {
	return func(yield func(AllPage, error) bool) {
		next := from
		err := resume(ctx, s, max, func(ctx context.Context, c *esdb.Client) (receiver[step], func(), error) {
			return openAll(ctx, c, next, prefixes)
		}, func(steps []step) error {
			page := AllPage{}
			for _, at := range steps {
				if !at.follows(next) {
					return fmt.Errorf("%w: position %v came behind %v", ErrGap, at.Position, next)
				}
				next = at.Position
				if !at.checkpoint {
					page.Events = append(page.Events, at.Located)
				}
			}
			page.Next = next
			if !yield(page, nil) {
				return errBreak
			}
			return nil
		})
		if err != nil {
			yield(AllPage{Next: next}, fmt.Errorf("following $all at %v: %w", next, typed(err)))
		}
	}
}

// step is an event or a checkpoint.
type step struct {
	Located
	checkpoint bool
}

// follows reports whether a step may come behind a position. A checkpoint may
// repeat the position of the event before it.
func (at step) follows(p Position) bool {
	if at.Position.Commit != p.Commit {
		return at.Position.Commit > p.Commit
	}
	return at.Position.Prepare > p.Prepare || at.checkpoint && at.Position.Prepare == p.Prepare
}

func openAll(ctx context.Context, c *esdb.Client, next Position, prefixes []string) (receiver[step], func(), error) {
	options := esdb.SubscribeToAllOptions{From: esdb.Start{}, CheckpointInterval: checkpointEvery}
	if next != (Position{}) {
		options.From = esdb.Position{Commit: next.Commit, Prepare: next.Prepare}
	}
	if len(prefixes) > 0 {
		options.Filter = &esdb.SubscriptionFilter{Type: esdb.StreamFilterType, Prefixes: prefixes}
	}
	sub, err := c.SubscribeToAll(ctx, options)
	if err != nil {
		return nil, nil, err
	}
	return func() (step, error) {
		e, checkpoint, err := appeared(sub)
		switch {
		case err != nil:
			return step{}, err
		case e == nil:
			return step{Located: Located{Position: Position(*checkpoint)}, checkpoint: true}, nil
		}
		return step{Located: Located{Recorded: recorded(e), Position: Position(e.Position)}}, nil
	}, func() { sub.Close() }, nil
}
