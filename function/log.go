package function

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger for the process: lines for Cloud Logging where Cloud
// Run has set K_SERVICE, text elsewhere.
func NewLogger(w io.Writer, getenv func(string) string) *slog.Logger {
	if getenv("K_SERVICE") == "" {
		return slog.New(slog.NewTextHandler(w, nil))
	}
	return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: cloudLogging}))
}

// cloudLogging renames what Cloud Logging has its own names for. It knows no
// WARN: https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry,
// LogSeverity.
func cloudLogging(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		a.Key = "severity"
		if a.Value.Any() == slog.LevelWarn {
			a.Value = slog.StringValue("WARNING")
		}
	}
	return a
}
