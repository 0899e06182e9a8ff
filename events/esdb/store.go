// Package esdb is the adapter to EventStoreDB: append, read and follow a
// stream, follow $all, describe and delete streams, consume as a group. It is
// the one package that imports the official client, so that another
// client is a change of this package alone.
//
// Why it is more than a few calls: the client does not resume a subscription,
// stays dead once it could not connect, lets callers hang then whatever their
// context says, and never sends the header that keeps stale followers from
// answering. This package makes up for all of that.
//
// What always holds: when Append returns nil the events are durable and stand
// where the caller expected them; readers and followers see each revision once
// and in order, or get an error; every method returns soon after its context
// has ended. A server that is away is waited for, by every method but Open,
// until the context ends: give a context with a deadline where waiting is not
// wanted.
//
// A single-host connection string never looks for the leader of a cluster:
// name several hosts, or use esdb+discover.
package esdb

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"go.uber.org/zap"
)

const (
	defaultCallTimeout = 10 * time.Second

	// drainTime is how long Close waits for calls in flight. They have been
	// cancelled; only a client that hangs while it connects takes longer.
	drainTime = 6 * time.Second
)

// ErrClosed is returned by methods of a Store after Close.
var ErrClosed = errors.New("the event store client is closed")

// Config says which event store to talk to: exactly one of Connection and
// Target is set.
type Config struct {
	// Connection is a connection string, esdb:// or esdb+discover://, with
	// the options of the official clients, except those on how often to try
	// to connect.
	Connection string

	// Target is a gRPC address without TLS, such as the unix:// address of
	// the embedded node.
	Target string

	// CallTimeout bounds one attempt of a call, not the call: an attempt that
	// has no answer by then is repeated. Zero means 10 seconds.
	CallTimeout time.Duration

	// Logger tells about retries and lost connections. Nil means silence.
	Logger *zap.Logger
}

// Store is a connection to an event store. Its methods may be called from any
// goroutine.
type Store struct {
	conf    esdb.Configuration
	timeout time.Duration
	log     *zap.Logger
	closed  chan struct{} // closed by Close
	drained chan struct{} // closed after closed, when no client is in use

	mu       sync.Mutex
	idle     []*esdb.Client // connected, the last used last
	inUse    int            // clients
	isClosed bool
}

// Open connects once, so that a wrong address shows here and not in the first
// call. ctx limits the opening only.
func Open(ctx context.Context, c Config) (*Store, error) {
	conf, err := c.client()
	if err != nil {
		return nil, fmt.Errorf("opening the event store: %w", err)
	}
	s := &Store{
		conf: *conf, timeout: c.CallTimeout, log: c.Logger,
		closed: make(chan struct{}), drained: make(chan struct{}),
	}
	if s.log == nil {
		s.log = zap.NewNop()
	}
	if s.timeout <= 0 {
		s.timeout = defaultCallTimeout
	}
	s.conf.Logger = clientLog(s.log)
	first, err := s.take(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the event store: %w", err), s.Close())
	}
	s.put(first, nil)
	return s, nil
}

// client turns a Config into one of the client.
func (c Config) client() (*esdb.Configuration, error) {
	switch {
	case (c.Connection == "") == (c.Target == ""):
		return nil, errors.New("name a connection string or a target, and not both")
	case c.Target != "":
		conf, err := esdb.ParseConnectionString("esdb://localhost?tls=false&gossipTimeout=2")
		if err != nil {
			return nil, err
		}
		// The client has no option for a dialer, but it hands Address to gRPC
		// as it is, and gRPC knows unix://.
		conf.Address = c.Target
		return once(conf), nil
	}
	conf, err := esdb.ParseConnectionString(strings.TrimSpace(c.Connection))
	if err != nil {
		// The parser may quote the string, and with it the password.
		return nil, errors.New("the connection string cannot be read: it begins with esdb:// or esdb+discover://")
	}
	if conf.Username != "" && conf.DisableTLS {
		return nil, errors.New("the connection string has a user but tls=false: the client would not send the credentials")
	}
	return once(conf), nil
}

// once makes the client try to connect once (to every host that it knows),
// because the retries are ours: they look at the context.
func once(conf *esdb.Configuration) *esdb.Configuration {
	conf.MaxDiscoverAttempts, conf.DiscoveryInterval = 1, 1
	return conf
}

// Close cancels the calls in flight and closes the connection. Further calls
// return nil.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return nil
	}
	s.isClosed = true
	close(s.closed)
	s.closeIdle()
	if s.inUse == 0 {
		close(s.drained)
	}
	s.mu.Unlock()
	timer := time.NewTimer(drainTime)
	defer timer.Stop()
	select {
	case <-s.drained:
		return nil
	case <-timer.C:
		return errors.New("closing the event store client: a call did not end")
	}
}
