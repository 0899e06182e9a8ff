package pubsub_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"

	"github.com/sharetrail/sharetrail/events/pubsub"
)

const consumed = 400 // events of the tests that kill

// consumeUntilKilled is a program: it handles the stream, notes each event in a
// file, says so, and acks it once it is told to go on. So whoever kills it knows
// where it is.
func consumeUntilKilled(dir string) error {
	told := bufio.NewReader(os.Stdin)
	ctx := context.Background()
	store, err := connect(dir, zap.NewNop())
	if err != nil {
		return err
	}
	checkpoints, err := pubsub.OpenCheckpoints(ctx, filepath.Join(dir, "checkpoints.db"))
	if err != nil {
		return err
	}
	sub := pubsub.NewEventSubscriber(pubsub.EventConfig{Source: store, Name: "test", Checkpoints: checkpoints, Window: 8})
	messages, err := sub.Subscribe(ctx, stream)
	if err != nil {
		return err
	}
	notes, err := os.OpenFile(filepath.Join(dir, "handled"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	for msg := range messages {
		if _, err := fmt.Fprintln(notes, revisionOf(msg)); err != nil {
			return err
		}
		fmt.Println(revisionOf(msg))
		if _, err := told.ReadByte(); err != nil {
			return nil // nobody is there any more
		}
		msg.Ack()
	}
	return nil
}

// TestKilledConsumerLosesNothing kills a consumer with SIGKILL again and again. It
// must handle every event, and go on where its checkpoint is and not at the
// beginning. However slow the disk is, a kill waits for the checkpoint to have moved.
func TestKilledConsumerLosesNothing(t *testing.T) {
	node := startNode(t)
	store := node.connect(t)
	if err := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store}).Publish(stream, numbered(0, consumed)...); err != nil {
		t.Fatal(err)
	}
	checkpoints, err := pubsub.OpenCheckpoints(t.Context(), filepath.Join(node.dir, "checkpoints.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoints.Close()
	checkpoint := func() uint64 {
		next, err := checkpoints.Load(t.Context(), pubsub.Consumer{Name: "test", Topic: stream})
		if err != nil {
			t.Fatal(err)
		}
		return next
	}
	handled, kills, end := map[uint64]bool{}, 0, fmt.Sprint(consumed-1)
	for last := ""; last != end; kills++ {
		from := checkpoint()
		cmd, stdin, stdout, err := spawn("consume", node.dir)
		if err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(stdout)
		for n := uint64(0); n < consumed/4 && last != end && said.Scan(); n++ {
			if last = said.Text(); last != fmt.Sprint(from+n) {
				t.Fatalf("after %d kills, with the checkpoint at %d, it handled %s as its event %d", kills, from, last, n)
			}
			if _, err := stdin.Write([]byte{'+'}); err != nil {
				t.Fatal(err)
			}
		}
		for checkpoint() == from && t.Context().Err() == nil {
		}
		cmd.Process.Kill()
		cmd.Wait()
		stdin.Close()
	}
	notes, err := os.ReadFile(filepath.Join(node.dir, "handled"))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Fields(string(notes))
	for _, text := range all {
		revision, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		handled[revision] = true
	}
	if len(handled) != consumed {
		t.Errorf("%d of %d events were handled", len(handled), consumed)
	}
	if kills < 4 {
		t.Errorf("only %d kills", kills)
	}
	t.Logf("%d kills, %d of %d events handled twice", kills, len(all)-consumed, consumed)
}

// TestNodeRestarts kills the node under publishers and subscribers of each mode:
// nothing is lost, nothing is written twice, and channels stay open.
func TestNodeRestarts(t *testing.T) {
	node := startNode(t)
	store := node.connect(t)
	soon := pubsub.Exponential(time.Millisecond, 50*time.Millisecond)
	pub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store})
	subs := map[string]message.Subscriber{
		"window 1":   pubsub.NewEventSubscriber(pubsub.EventConfig{Source: store, Backoff: soon}),
		"window 100": pubsub.NewEventSubscriber(pubsub.EventConfig{Source: store, Backoff: soon, Window: 100}),
		"group":      pubsub.NewGroupSubscriber(pubsub.GroupConfig{Source: store, Backoff: soon, Group: "test"}),
	}
	published := make(chan error, 1)
	restarted := make(chan error, 2)
	go func() {
		for n := range 200 {
			if n == 50 || n == 120 {
				go func() { restarted <- node.restart() }()
			}
			if err := pub.Publish(stream, numbered(10*n, 10*n+3)...); err != nil {
				published <- err
				return
			}
		}
		published <- nil
	}()
	for name, sub := range subs {
		messages, err := sub.Subscribe(t.Context(), stream)
		if err != nil {
			t.Fatal(err)
		}
		seen, next := map[uint64]bool{}, uint64(0)
		for len(seen) < 600 {
			msg := take(t, messages)
			revision := revisionOf(msg)
			if name != "group" && revision != next {
				t.Fatalf("%s: got revision %d, want %d", name, revision, next)
			}
			next++
			seen[revision] = true
			msg.Ack()
		}
		sub.Close()
	}
	if err := errors.Join(<-published, <-restarted, <-restarted); err != nil {
		t.Fatal(err)
	}
	got := ids(t, store, stream)
	for n := range 200 {
		for i := range 3 {
			if 3*n+i >= len(got) || got[3*n+i] != uuid(10*n+i) {
				t.Fatalf("the stream has %d events, and another than %s at %d", len(got), uuid(10*n+i), 3*n+i)
			}
		}
	}
	if len(got) != 600 {
		t.Errorf("the stream has %d events", len(got))
	}
}
