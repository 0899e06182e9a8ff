package pubsub

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"go.uber.org/zap"
	"go.uber.org/zap/exp/zapslog"
)

// Detach frees the handler's context from the life of the subscription: a message
// whose handling has begun may be finished after Close. It belongs outside
// middleware.Timeout, or the handler has no deadline at all.
func Detach(next message.HandlerFunc) message.HandlerFunc {
	return func(msg *message.Message) ([]*message.Message, error) {
		msg.SetContext(context.WithoutCancel(msg.Context()))
		return next(msg)
	}
}

// Recoverer makes an error of a handler's panic and logs the stack. Watermill's own
// puts the panic's value into the error and so into the log, and that value may
// well be an event; here only its type goes there, or the text of a runtime error,
// which names indexes and types.
func Recoverer(logger *zap.Logger) message.HandlerMiddleware {
	return func(next message.HandlerFunc) message.HandlerFunc {
		return func(msg *message.Message) (produced []*message.Message, err error) {
			defer func() {
				value := recover()
				if value == nil {
					return
				}
				if fault, ok := value.(runtime.Error); ok {
					err = fmt.Errorf("handling a message: panic: %w", fault)
				} else {
					err = fmt.Errorf("handling a message: panic with a %T", value)
				}
				logger.Error("handler panicked", zap.String("message", msg.UUID),
					zap.Error(err), zap.ByteString("stack", debug.Stack()))
			}()
			return next(msg)
		}
	}
}

// NewLogger hands Watermill's log lines to logger, its chatty Info as Debug and
// without the stack traces of its own routines.
func NewLogger(logger *zap.Logger) watermill.LoggerAdapter {
	handler := zapslog.NewHandler(logger.Core(), zapslog.WithName("watermill"), zapslog.AddStacktraceAt(slog.LevelError+1))
	return watermill.NewSlogLoggerWithLevelMapping(slog.New(handler), map[slog.Level]slog.Level{slog.LevelInfo: slog.LevelDebug})
}
