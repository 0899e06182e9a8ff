package embedded

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"k8s.io/klog/v2"
)

// Trillian logs through klog, whose logger belongs to the whole process, may
// only be set before anybody logs, and without one writes files into the
// temporary directory. So it is set once, to a handler that looks up the logger
// of the server opened last.
var (
	klogOnce   sync.Once
	klogLogger atomic.Pointer[zap.Logger]
)

func routeKlog(logger *zap.Logger) {
	klogLogger.Store(logger.Named("trillian"))
	klogOnce.Do(func() { klog.SetSlogLogger(slog.New(klogHandler{})) })
}

// klogHandler turns klog lines into zap lines: errors stay errors, everything
// else becomes Debug (most of it is about single calls, and klog gives its
// warnings to a structured logger as Info).
type klogHandler struct {
	attrs []slog.Attr
}

var _ slog.Handler = klogHandler{}

func klogLevel(l slog.Level) zapcore.Level {
	if l >= slog.LevelError {
		return zapcore.ErrorLevel
	}
	return zapcore.DebugLevel
}

func (h klogHandler) Enabled(_ context.Context, l slog.Level) bool {
	return klogLogger.Load().Core().Enabled(klogLevel(l))
}

func (h klogHandler) Handle(_ context.Context, r slog.Record) error {
	fields := []zap.Field{zap.String("text", r.Message)}
	add := func(a slog.Attr) bool {
		fields = append(fields, zap.Any(a.Key, a.Value.Any()))
		return true
	}
	for _, a := range h.attrs {
		add(a)
	}
	r.Attrs(add)
	klogLogger.Load().Log(klogLevel(r.Level), "trillian says", fields...)
	return nil
}

func (h klogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return klogHandler{attrs: append(h.attrs[:len(h.attrs):len(h.attrs)], attrs...)}
}

func (h klogHandler) WithGroup(string) slog.Handler { return h }
