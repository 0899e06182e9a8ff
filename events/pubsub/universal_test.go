package pubsub_test

import (
	"os"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"github.com/sharetrail/sharetrail/events/esdb"
	"github.com/sharetrail/sharetrail/events/pubsub"
)

var (
	long  = os.Getenv("SHARETRAIL_LONG") == "1"
	raced bool // set by a build with the race detector
)

// at once: the suite nacks some hundred times and counts the seconds.
func atOnce(int) time.Duration { return 0 }

// TestUniversal runs Watermill's own suite over a real node and the real client.
// Its full counts are for SHARETRAIL_LONG=1 without the race detector, and so are
// its restarts of the node, which TestNodeRestarts has always, on a smaller scale:
// under the detector they take many minutes, and the suite's TestReconnect has a
// data race of its own.
func TestUniversal(t *testing.T) {
	node := startNode(t)
	store := node.connect(t)
	for _, mode := range []struct {
		name     string
		features tests.Features
		new      func(group string) message.Subscriber
	}{
		{"catch-up, window 1", tests.Features{
			ConsumerGroups: true, GuaranteedOrder: true, Persistent: true, NewSubscriberReceivesOldMessages: true,
		}, catchUp(store, 1)},
		{"catch-up, window 256", tests.Features{
			ConsumerGroups: true, Persistent: true, NewSubscriberReceivesOldMessages: true,
		}, catchUp(store, 256)},
		{"group", tests.Features{ConsumerGroups: true, Persistent: true}, group(store)},
	} {
		t.Run(mode.name, func(t *testing.T) {
			mode.features.ForceShort = !long || raced
			if long && !raced {
				mode.features.RestartServiceCommand = []string{os.Args[0], "restart-node", node.dir}
			}
			open := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
				pub, sub := pubsub.NewPublisher(pubsub.PublisherConfig{Store: store}), mode.new(group)
				t.Cleanup(func() { sub.Close() }) // not every test of the suite does
				return pub, sub
			}
			tests.TestPubSub(t, mode.features, func(t *testing.T) (message.Publisher, message.Subscriber) {
				return open(t, "")
			}, open)
		})
	}
}

// catchUp keeps checkpoints for groups only: without, each subscriber reads all.
func catchUp(store *esdb.Store, window int) func(string) message.Subscriber {
	checkpoints := &pubsub.MemoryCheckpoints{}
	return func(group string) message.Subscriber {
		cfg := pubsub.EventConfig{Source: store, Window: window, NackBackoff: atOnce}
		if group != "" {
			cfg.Name, cfg.Checkpoints = group, checkpoints
		}
		return pubsub.NewEventSubscriber(cfg)
	}
}

func group(store *esdb.Store) func(string) message.Subscriber {
	return func(group string) message.Subscriber {
		if group == "" {
			group = "shared"
		}
		return pubsub.NewGroupSubscriber(pubsub.GroupConfig{
			Source: store, Group: group, NackBackoff: atOnce, ParkAfter: 1 << 20,
			Settings: esdb.GroupConfig{MaxRetries: 1 << 20},
		})
	}
}
