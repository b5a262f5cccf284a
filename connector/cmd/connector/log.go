package main

import (
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/cloudlog"
	"github.com/aerosink/aerosink/connector/config"
)

// log is a logger, and its file.
type log struct {
	*slog.Logger
	file *logFile // nil if there is none
}

// openLog returns the log that the configuration describes. Without logging.format, a
// terminal and a file get text, and a pipe gets JSON for Cloud Logging.
func openLog(c config.Logging, stderr io.Writer) (*log, error) {
	l := new(log)
	var handlers []slog.Handler
	if c.File == "" || c.Console {
		handlers = append(handlers, handler(stderr, c, cli.IsTerminal(stderr) && !c.JSON))
	}
	if c.File != "" {
		f, err := openLogFile(c.File, c.History, time.Now)
		if err != nil {
			return nil, fmt.Errorf("logging.file: %w; name another file, or remove the key to log to standard error", err)
		}
		l.file = f
		handlers = append(handlers, handler(f, c, !c.JSON))
	}
	l.Logger = slog.New(slog.NewMultiHandler(handlers...))
	return l, nil
}

// reopen opens the file again, if there is one.
func (l *log) reopen() {
	if l.file == nil {
		return
	}
	if err := l.file.Reopen(); err != nil {
		l.Error("cannot open logging.file again; the old file stays in use", "error", err)
	}
}

// close closes the file, if there is one.
func (l *log) close() {
	if l.file != nil {
		_ = l.file.Close() // there is nowhere left to report an error
	}
}

func handler(w io.Writer, c config.Logging, text bool) slog.Handler {
	if text {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: c.Level})
	}
	return cloudlog.NewHandler(w, c.Level)
}
