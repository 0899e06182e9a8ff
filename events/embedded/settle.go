package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/protos/persistent"
	"github.com/google/uuid"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
)

// parkedStream is where a group puts links to what its consumers cannot handle.
func (g *group) parkedStream() string {
	return fmt.Sprintf("$persistentsubscription-%s::%s-parked", g.key.source, g.key.name)
}

// release takes a message back from its consumer.
func (g *group) release(m *message) {
	delete(g.pending, m.event.id)
	m.consumer.inFlight--
	m.consumer = nil
}

// finish ends a message: it is handled, skipped or parked.
func (g *group) finish(m *message) {
	g.release(m)
	if m.parked >= 0 {
		g.replayed.finish(m.parked)
		return
	}
	g.progress.finish(m.seq)
	g.handled++
}

// ack ends the messages that a consumer has handled. An answer to a message
// that was given to another meanwhile counts nothing.
func (g *group) ack(c *consumer, ids []uuid.UUID) {
	for _, id := range ids {
		if m := g.pending[id]; m != nil && m.consumer == c {
			g.finish(m)
		}
	}
}

// nack does with the messages of a consumer what it asks for.
func (g *group) nack(ctx context.Context, c *consumer, action persistent.ReadReq_Nack_Action, reason string, ids []uuid.UUID) {
	for _, id := range ids {
		m := g.pending[id]
		if m == nil || m.consumer != c {
			continue
		}
		switch action {
		case persistent.ReadReq_Nack_Skip:
			g.finish(m)
		case persistent.ReadReq_Nack_Park:
			g.park(ctx, m, reason)
		case persistent.ReadReq_Nack_Stop:
			c.drop(g.key.refuse("dropped", codes.Canceled, "was stopped by its consumer")) // the handler gives back the rest
			return
		default:
			g.again(ctx, m, reason)
		}
	}
}

// again delivers a message once more, or parks it after too many times.
func (g *group) again(ctx context.Context, m *message, reason string) {
	if m.retries >= g.settings.MaxRetries {
		g.park(ctx, m, reason)
		return
	}
	m.retries++
	g.release(m)
	g.retries = append(g.retries, m)
}

// expire takes back what was not answered in time.
func (g *group) expire(ctx context.Context, now time.Time) {
	for _, m := range g.inFlight(func(m *message) bool { return !m.due.IsZero() && !now.Before(m.due) }) {
		g.again(ctx, m, "timed out")
	}
}

// park puts a message aside. If the link cannot be written the message stays in
// the group, so nothing is lost.
func (g *group) park(ctx context.Context, m *message, reason string) {
	metadata, err := json.Marshal(map[string]any{
		"added": g.groups.journal.now().UTC().Format(time.RFC3339Nano), "reason": reason, "subscriptionEventNumber": m.event.revision,
	})
	if err == nil {
		err = g.appendOwn(ctx, g.parkedStream(), event{kind: kindLink, contentType: octetType, data: link(&m.event), metadata: metadata})
	}
	if err != nil {
		g.groups.journal.log.Error("message not parked", zap.String("group", g.key.name), zap.Error(err))
		g.release(m)
		g.retries = append(g.retries, m)
		return
	}
	g.finish(m)
}

// appendOwn writes an event of the group's own making.
func (g *group) appendOwn(ctx context.Context, stream string, e event) error {
	e.id = uuid.New()
	o, err := g.groups.journal.submit(ctx, &proposal{stream: stream, expected: anyRevision, events: []event{e}})
	if err == nil && o.gone {
		err = errGone{stream}
	}
	return err
}

// replay delivers the parked messages before revision stopAt again. They stay
// parked until they are handled; then the parked stream is truncated.
func (g *group) replay(ctx context.Context, stopAt int64) error {
	j := g.groups.journal
	at, err := j.heads.look(ctx, g.parkedStream())
	if err != nil || at.tombstone || at.limits.deleted() {
		return err
	}
	next := at.limits.first(at.head)
	g.replayed.low, g.cut = max(g.replayed.low, next-1), max(g.cut, next-1)
	if open := g.replayed.open; len(open) > 0 {
		next = open[len(open)-1] + 1
	} else {
		next = g.replayed.low + 1
	}
	for last := min(at.head, stopAt-1); next <= last; {
		page, err := j.file.page(ctx, at.id, next, last, pageEvents)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			return missing(g.parkedStream(), next)
		}
		for i := range page {
			next = page[i].revision + 1
			target, err := j.follow(ctx, &page[i])
			if err != nil {
				return err
			}
			if target == nil { // nobody can see it any more
				g.replayed.skip(page[i].revision)
				continue
			}
			g.replayed.begin(page[i].revision)
			g.retries = append(g.retries, &message{event: *target, seq: target.position, parked: page[i].revision})
		}
	}
	return nil
}

// cutParked truncates the parked stream up to what was replayed and handled.
func (g *group) cutParked(ctx context.Context) error {
	if g.replayed.low <= g.cut {
		return nil
	}
	data := fmt.Appendf(nil, `{"$tb":%d}`, g.replayed.low+1)
	err := g.appendOwn(ctx, metastreamOf(g.parkedStream()), event{kind: kindMeta, contentType: jsonType, data: data, metadata: []byte{}})
	if err == nil {
		g.cut = g.replayed.low
	}
	return err
}

// parkedCount is how many messages are parked.
func (g *group) parkedCount(ctx context.Context) (int64, error) {
	at, err := g.groups.journal.heads.look(ctx, g.parkedStream())
	if err != nil || at.tombstone || at.limits.deleted() {
		return 0, err
	}
	return max(0, at.head-at.limits.first(at.head)+1), nil
}
