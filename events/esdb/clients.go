package esdb

import (
	"context"
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/metadata"
)

// maxIdle is how many connected clients are kept for the next calls.
const maxIdle = 16

// Every call and every subscription has a client of the official package for
// itself while it runs. The client is made to be shared, but not fit for it: it
// connects inside a call, when that fails it is dead and of all its callers one
// is told while the others hang for ever, and closing it under a call panics.
// With one caller at a time nothing of that can happen. A client is connected
// before it is used, and thrown away when its connection has failed.

// errConnecting marks the failure to connect.
type errConnecting struct{ err error }

func (e errConnecting) Error() string { return fmt.Sprintf("connecting: %v", e.err) }

// take returns a connected client, which the caller must put back.
func (s *Store) take(ctx context.Context) (*esdb.Client, error) {
	c, connected, err := s.pick()
	if err != nil || connected {
		return c, err
	}
	// Asking for the version does nothing but connect. It knows no context; the
	// settings of the client bound it.
	done := make(chan error, 1)
	go func() {
		_, err := c.GetServerVersion()
		done <- err
	}()
	select {
	case err := <-done:
		if err != nil {
			err = errConnecting{err}
			s.put(c, err)
			return nil, err
		}
		return c, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.closed:
		err = ErrClosed
	}
	go func() {
		if err := <-done; err != nil {
			s.put(c, errConnecting{err})
			return
		}
		s.put(c, nil)
	}()
	return nil, err
}

// pick takes an idle client, which is connected, or makes one, which is not.
func (s *Store) pick() (c *esdb.Client, connected bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed {
		return nil, false, ErrClosed
	}
	if n := len(s.idle); n > 0 {
		c, s.idle = s.idle[n-1], s.idle[:n-1]
		s.inUse++
		return c, true, nil
	}
	conf := s.conf
	if c, err = esdb.NewClient(&conf); err != nil {
		return nil, false, fmt.Errorf("making a client: %w", err)
	}
	s.inUse++
	return c, false, nil
}

// put takes a client back after its call has ended with err. When the
// connection is to blame, the idle clients have most likely lost theirs too.
func (s *Store) put(c *esdb.Client, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := err != nil && cureOf(err) == reconnect
	if lost {
		s.closeIdle()
	}
	if lost || s.isClosed || len(s.idle) == maxIdle {
		c.Close() // always nil
	} else {
		s.idle = append(s.idle, c)
	}
	s.inUse--
	if s.isClosed && s.inUse == 0 {
		close(s.drained)
	}
}

// closeIdle is called with Store.mu held.
func (s *Store) closeIdle() {
	for _, c := range s.idle {
		c.Close()
	}
	s.idle = nil
}

// leader asks for an answer of the leader: a follower would serve stale reads.
// The client has an option for it, which sets incoming metadata by mistake.
func leader(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "requires-leader", "true")
}
