package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/config"
)

// openLog returns the logger that the configuration asks for. What is written for
// machines has the field names of Cloud Logging.
func openLog(c config.Logging, stderr io.Writer) (*slog.Logger, func(), error) {
	var handlers []slog.Handler
	closeLog := func() {}
	if c.File == "" || c.Console {
		handlers = append(handlers, handler(stderr, c, isTerminal(stderr) && !c.JSON))
	}
	if c.File != "" {
		f, err := openLogFile(c.File, c.History, time.Now)
		if err != nil {
			return nil, nil, fmt.Errorf("logging.file: %w; name another, or leave the key out to log to standard error", err)
		}
		closeLog = func() { _ = f.Close() } // nothing can be said any more
		handlers = append(handlers, handler(f, c, !c.JSON))
	}
	return slog.New(slog.NewMultiHandler(handlers...)), closeLog, nil
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func handler(w io.Writer, c config.Logging, text bool) slog.Handler {
	if text {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: c.Level})
	}
	return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: c.Level, ReplaceAttr: cloudLogging})
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
