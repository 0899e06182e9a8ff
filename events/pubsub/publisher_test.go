package pubsub_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"github.com/sharetrail/sharetrail/events"
	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/pubsub"
)

func TestPublishExpected(t *testing.T) {
	store := openStore(t)
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	publish := func(expected events.Expected, msgs ...*message.Message) error {
		msgs[0].SetContext(pubsub.WithExpected(t.Context(), expected))
		return pub.Publish(stream, msgs...)
	}
	if err := publish(events.NoStream, numbered(0, 3)...); err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []events.Expected{events.NoStream, 1, 7} {
		if err := publish(wrong, numbered(10, 12)...); !errors.Is(err, events.ErrConflict) {
			t.Errorf("publishing behind %d: got %v, want ErrConflict", wrong, err)
		}
	}
	if err := publish(2, numbered(3, 4)...); err != nil {
		t.Fatal(err)
	}
	if err := publish(2, numbered(3, 4)...); err != nil {
		t.Errorf("publishing the same again: %v", err)
	}
	if err := pub.Publish(stream, numbered(4, 6)...); err != nil { // wherever the end is
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{uuid(0), uuid(1), uuid(2), uuid(3), uuid(4), uuid(5)}, ids(t, store, stream)); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
}

func TestPublishAllOrNone(t *testing.T) {
	store := openStore(t)
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	large := append(numbered(0, 2), message.NewMessage(uuid(2), make([]byte, esdb.MaxAppendBytes)))
	if err := pub.Publish(stream, large...); !errors.Is(err, esdb.ErrTooLarge) {
		t.Errorf("got %v, want ErrTooLarge", err)
	}
	unreadable := numbered(0, 2)
	unreadable[1].Metadata.Set("name", "\xff")
	if err := pub.Publish(stream, unreadable...); err == nil {
		t.Error("metadata that JSON cannot hold were published")
	}
	if err := pub.Publish(stream, append(numbered(0, 2), numbered(0, 1)...)...); err == nil {
		t.Error("one UUID was published twice at once")
	}
	if got := ids(t, store, stream); got != nil {
		t.Errorf("the stream has %v", got)
	}
	if err := pub.Publish(stream); err != nil {
		t.Errorf("publishing nothing: %v", err)
	}
}

// TestPublishTogether lets two Publishers race for one stream.
func TestPublishTogether(t *testing.T) {
	store := openStore(t)
	var racing sync.WaitGroup
	for p := range 2 {
		pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
		for g := range 5 {
			racing.Go(func() {
				for i := range 4 {
					first := 1000*p + 100*g + 10*i
					if err := pub.Publish(stream, numbered(first, first+3)...); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	racing.Wait()
	got := ids(t, store, stream)
	if len(got) != 2*5*4*3 {
		t.Fatalf("the stream has %d events", len(got))
	}
	for i := 0; i < len(got); i += 3 { // each Publish stands together and in order
		if !slices.IsSorted(got[i:i+3]) || got[i][:35] != got[i+2][:35] || !strings.HasSuffix(got[i], "0") {
			t.Errorf("a Publish was torn: %v", got[i:i+3])
		}
	}
}

// lossy loses answers: the append is made, and the caller told of an error.
type lossy struct {
	*esdb.Store
	lose int
}

var errLost = errors.New("the answer was lost")

func (l *lossy) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	last, err := l.Store.Append(ctx, stream, expected, evs...)
	if l.lose > 0 && err == nil {
		l.lose--
		return 0, errLost
	}
	return last, err
}

func TestPublishAgainAfterALostAnswer(t *testing.T) {
	store := &lossy{Store: openStore(t), lose: 2}
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	for range 2 {
		if err := pub.Publish(stream, numbered(0, 2)...); !errors.Is(err, errLost) {
			t.Fatalf("got %v, want the lost answer", err)
		}
	}
	if err := pub.Publish(stream, numbered(2, 4)...); err != nil { // another comes between
		t.Fatal(err)
	}
	if err := pub.Publish(stream, numbered(0, 2)...); err != nil {
		t.Fatal(err)
	}
	if err := pub.Publish(stream, numbered(4, 5)...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{uuid(0), uuid(1), uuid(2), uuid(3), uuid(4)}, ids(t, store.Store, stream)); diff != "" {
		t.Errorf("the stream (-want +got):\n%s", diff)
	}
}

// held lets nothing through before it is released, as long as a context allows.
type held struct {
	*esdb.Store
	arrived, release chan struct{}
}

func (h held) Append(ctx context.Context, stream string, expected events.Expected, evs ...events.Proposed) (uint64, error) {
	h.arrived <- struct{}{}
	select {
	case <-h.release:
		return h.Store.Append(ctx, stream, expected, evs...)
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func TestPublishHonoursContexts(t *testing.T) {
	store := held{openStore(t), make(chan struct{}, 1), make(chan struct{})}
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	for i := range 2 { // of the first message, and of another
		ctx, cancel := context.WithCancel(t.Context())
		msgs := numbered(0, 2)
		msgs[i].SetContext(ctx)
		go func() { <-store.arrived; cancel() }()
		if err := pub.Publish(stream, msgs...); !errors.Is(err, context.Canceled) {
			t.Errorf("message %d cancelled: got %v", i, err)
		}
	}
	pub = pubsub.NewPublisher(pubsub.PublisherConfig{Store: store, Timeout: time.Millisecond})
	if err := pub.Publish(stream, numbered(0, 1)...); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("after the timeout: got %v", err)
	}
}

func TestPublisherClose(t *testing.T) {
	store := held{openStore(t), make(chan struct{}, 1), make(chan struct{})}
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	published, closed := make(chan error, 1), make(chan error, 2)
	go func() { published <- pub.Publish(stream, numbered(0, 1)...) }()
	<-store.arrived
	for range 2 {
		go func() { closed <- pub.Close() }()
	}
	for { // until Close has begun
		if err := pub.Publish("other"); err != nil {
			t.Fatal(err)
		}
		msg := numbered(9, 10)[0]
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		msg.SetContext(ctx)
		if err := pub.Publish("other", msg); errors.Is(err, pubsub.ErrClosed) {
			break
		}
	}
	if len(closed) > 0 {
		t.Error("Close did not wait for the append in flight")
	}
	close(store.release)
	if err := <-published; err != nil {
		t.Error(err)
	}
	if err := errors.Join(<-closed, <-closed, pub.Close()); err != nil {
		t.Error(err)
	}
	if got := ids(t, store.Store, stream); len(got) != 1 {
		t.Errorf("the stream has %v", got)
	}
}
