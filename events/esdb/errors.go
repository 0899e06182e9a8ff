package esdb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/sharetrail/sharetrail/events"
)

// What the server refuses for good. ErrDeleted: the stream has a tombstone, or
// it is deleted. ErrDenied: the stream is not ours to change through this door.
// ErrNoGroup and ErrGroupExists: there is no such persistent subscription, or
// there is one already. ErrGroupFull: it has as many consumers as it takes.
var (
	ErrDeleted     = errors.New("the stream is deleted")
	ErrDenied      = errors.New("access is denied")
	ErrNoGroup     = errors.New("there is no such group")
	ErrGroupExists = errors.New("the group exists already")
	ErrGroupFull   = errors.New("the group takes no more consumers")
)

// errNoAnswer says that an attempt ended without a word from the server.
var errNoAnswer = errors.New("no answer in time")

// cure is what helps against an error.
type cure int

const (
	none      cure = iota // tell the caller
	again                 // try again
	reconnect             // try again over a new connection
)

// cureOf is the one place that judges errors of the client. After again and
// reconnect the outcome of an append is not known: the server may have written.
func cureOf(err error) cure {
	var connecting errConnecting
	if errors.As(err, &connecting) || errors.Is(err, errNoAnswer) || errors.Is(err, io.EOF) {
		// EOF: the server broke off while the client was still sending.
		return reconnect
	}
	switch clientCode(err) {
	case esdb.ErrorCodeConnectionClosed, esdb.ErrorUnavailable, esdb.ErrorCodeDeadlineExceeded:
		return reconnect
	case esdb.ErrorCodeNotLeader, esdb.ErrorAborted:
		return again
	}
	switch s, ok := grpcStatus(err); {
	case !ok:
		return none
	case s == codes.Unavailable, s == codes.DeadlineExceeded:
		return reconnect
	case s == codes.Aborted, s == codes.Canceled:
		// Canceled: not by the caller, whose context is looked at first, but
		// by the client when it moves to another node.
		return again
	}
	return none
}

// typed puts the sentinel of a refusal before the client's error.
func typed(err error) error {
	for code, sentinel := range map[esdb.ErrorCode]error{
		esdb.ErrorCodeWrongExpectedVersion: events.ErrConflict,
		esdb.ErrorCodeStreamDeleted:        ErrDeleted,
		esdb.ErrorCodeAccessDenied:         ErrDenied,
	} {
		if clientCode(err) == code {
			return fmt.Errorf("%w: %v", sentinel, err)
		}
	}
	// The same code says that a message is too large for gRPC.
	if code, ok := grpcStatus(err); ok && code == codes.ResourceExhausted && !strings.Contains(err.Error(), "larger than max") {
		return fmt.Errorf("%w: %v", events.ErrNoSpace, err)
	}
	return err
}

// dropped is typed for readers of a stream. When a subscription is dropped the
// client hides the trailers, and with them that a tombstone ended the stream.
func dropped(err error) error {
	if code, ok := grpcStatus(err); ok && code == codes.FailedPrecondition && clientCode(err) == esdb.ErrorCodeUnknown {
		return fmt.Errorf("%w: %v", ErrDeleted, err)
	}
	return typed(err)
}

// clientCode returns ErrorCodeUnknown for what is no error of the client.
func clientCode(err error) esdb.ErrorCode {
	var e *esdb.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return esdb.ErrorCodeUnknown
}

// grpcStatus returns the status that an error carries from the wire, if any.
func grpcStatus(err error) (codes.Code, bool) {
	s, ok := status.FromError(err)
	return s.Code(), ok && err != nil
}

// isMissing reports whether the server said that there is no such stream. The
// client uses the same code for any NotFound from the wire, a node that is not
// the leader for one; that must not pass for an empty stream.
func isMissing(err error) bool {
	_, wire := grpcStatus(err)
	return clientCode(err) == esdb.ErrorCodeResourceNotFound && !wire
}

// ended returns the reason to give up, if there is one: the caller's context,
// or Close.
func (s *Store) ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return ErrClosed
	default:
		return nil
	}
}
