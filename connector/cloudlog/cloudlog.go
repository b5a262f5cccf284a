// Package cloudlog writes logs in the format of Cloud Logging: one JSON object a line, with
// Cloud Logging's names for the message and the severity.
package cloudlog

import (
	"io"
	"log/slog"
)

// LevelCritical is for errors that should never happen, such as a panic. Cloud Logging
// shows it as CRITICAL.
const LevelCritical = slog.LevelError + 4

// NewHandler returns a handler that writes records of at least level to w.
func NewHandler(w io.Writer, level slog.Leveler) slog.Handler {
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: rename})
}

// rename gives slog's own attributes the names and values of Cloud Logging, whose
// severities include WARNING and CRITICAL but not WARN
// (https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogSeverity).
func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		switch a.Value.Any() {
		case slog.LevelWarn:
			a.Value = slog.StringValue("WARNING")
		case LevelCritical:
			a.Value = slog.StringValue("CRITICAL")
		}
	}
	return a
}
