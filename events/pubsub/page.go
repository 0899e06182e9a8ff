package pubsub

import (
	"context"
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/sharetrail/sharetrail/events"
)

// Metadata keys of a page message.
const (
	MetadataStream = "stream"
	MetadataFirst  = "first_revision"
	MetadataLast   = "last_revision"
)

// Page is a run of events of one stream with contiguous revisions, never empty.
// It is shared with later deliveries of itself: read only.
type Page struct {
	Stream string
	Events []events.Recorded
}

// PageOf returns the page that msg carries. It travels in the message's context,
// so a handler which replaces the context must derive the new one from the old.
func PageOf(msg *message.Message) (Page, bool) {
	page, ok := msg.Context().Value(pageKey{}).(Page)
	return page, ok
}

type pageKey struct{}

// First is the revision of the first event.
func (p Page) First() uint64 { return p.Events[0].Revision }

// Last is the revision of the last event.
func (p Page) Last() uint64 { return p.Events[len(p.Events)-1].Revision }

// String names the page, as stream@first-last. Like GoString it is here so that
// no verb and no logger prints the events themselves.
func (p Page) String() string {
	if len(p.Events) == 0 {
		return p.Stream + "@empty"
	}
	return fmt.Sprintf("%s@%d-%d", p.Stream, p.First(), p.Last())
}

// GoString is String, for %#v, which Watermill uses on messages.
func (p Page) GoString() string { return p.String() }

// newPageMessage makes the message of one delivery of page. The payload stays
// empty: Watermill prints messages when a publish fails.
func newPageMessage(ctx context.Context, page Page) *message.Message {
	msg := message.NewMessageWithContext(context.WithValue(ctx, pageKey{}, page), page.String(), nil)
	msg.Metadata.Set(MetadataStream, page.Stream)
	msg.Metadata.Set(MetadataFirst, strconv.FormatUint(page.First(), 10))
	msg.Metadata.Set(MetadataLast, strconv.FormatUint(page.Last(), 10))
	return msg
}

// checkPage refuses a page which would leave a hole or repeat a revision: acking
// it would move the consumer past events it never saw.
func checkPage(recorded []events.Recorded, next uint64) error {
	for i, e := range recorded {
		if want := next + uint64(i); e.Revision != want {
			return fmt.Errorf("checking a page: revision %d where %d was due", e.Revision, want)
		}
	}
	return nil
}
