package esdb

import (
	"fmt"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// clientLog passes the client's own lines on, one level down: it calls an error
// what is an ordinary end here, such as a subscription that its owner closed.
// The lines are about connections and name no event.
func clientLog(log *zap.Logger) esdb.LoggingFunc {
	log = log.Named("client")
	return func(level esdb.LogLevel, format string, args ...any) {
		l := zapcore.DebugLevel
		switch level {
		case esdb.LogError, esdb.LogWarn:
			l = zapcore.InfoLevel
		}
		if entry := log.Check(l, "event store client"); entry != nil {
			entry.Write(zap.String("line", fmt.Sprintf(format, args...)))
		}
	}
}
