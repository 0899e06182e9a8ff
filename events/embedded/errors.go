package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var errClosing = errors.New("the event store is closing")

// errTooLarge says that an append holds more than MaxAppendBytes.
var errTooLarge = fmt.Errorf("maximum append size of %d bytes exceeded", MaxAppendBytes)

// errGone says that a stream has a tombstone, or that it was deleted and the
// caller wanted it to exist.
type errGone struct{ stream string }

func (e errGone) Error() string { return "stream " + e.stream + " is deleted" }

// errDenied says that a stream is closed to the door the caller came through.
type errDenied struct{ stream string }

func (e errDenied) Error() string {
	return "access to stream " + e.stream + " is denied: only its owner writes it"
}

// errVersion says that a deletion expected its stream elsewhere.
type errVersion struct {
	stream string
	want   expected
	head   int64
}

func (e errVersion) Error() string {
	return fmt.Sprintf("stream %s is at revision %d, not at %d", e.stream, e.head, e.want)
}

// refuse turns an error into the status and the trailers that clients know it
// by; set takes the trailers.
func refuse(set func(metadata.MD), err error) error {
	var (
		goneErr    errGone
		denied     errDenied
		version    errVersion
		groupError errGroup
	)
	switch {
	case errors.As(err, &goneErr):
		set(metadata.Pairs("exception", "stream-deleted", "stream-name", goneErr.stream))
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.As(err, &denied):
		set(metadata.Pairs("exception", "access-denied"))
		return status.Error(codes.PermissionDenied, err.Error())
	case errors.As(err, &version):
		set(metadata.Pairs("exception", "wrong-expected-version", "stream-name", version.stream,
			"expected-version", strconv.FormatInt(int64(version.want), 10), "actual-version", strconv.FormatInt(version.head, 10)))
		return status.Error(codes.FailedPrecondition, err.Error())
	case errors.Is(err, errTooLarge):
		set(metadata.Pairs("exception", "maximum-append-size-exceeded", "maximum-append-size", strconv.Itoa(MaxAppendBytes)))
		return status.Error(codes.InvalidArgument, err.Error())
	case errors.As(err, &groupError):
		set(metadata.Pairs("exception", groupError.exception, "stream-name", groupError.source, "group-name", groupError.name, "reason", groupError.Error()))
		return status.Error(groupError.code, err.Error())
	}
	return statusOf(err)
}

// statusOf gives the status of errors that have no trailers. The text of a
// SQLite error names no event, so clients may see it.
func statusOf(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return status.FromContextError(err).Err()
	case errors.Is(err, errBusy), errors.Is(err, errClosing):
		return status.Error(codes.Unavailable, err.Error())
	case errors.Is(err, errFull): // clients must not wait for it as for a server that comes back
		return status.Error(codes.ResourceExhausted, err.Error())
	}
	if s, ok := status.FromError(err); ok {
		return s.Err()
	}
	return status.Error(codes.Internal, err.Error())
}

// errGroup is what is wrong with a call about a persistent subscription.
type errGroup struct {
	exception, source, name, text string
	code                          codes.Code
}

func (e errGroup) Error() string {
	return fmt.Sprintf("group %s on stream %s: %s", e.name, e.source, e.text)
}
