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

// openLog returns the logger that the configuration describes, and a function that
// closes its file. Without logging.format, a terminal and a file get text, and a pipe
// gets JSON for Cloud Logging.
func openLog(c config.Logging, stderr io.Writer) (*slog.Logger, func(), error) {
	var handlers []slog.Handler
	closeLog := func() {}
	if c.File == "" || c.Console {
		handlers = append(handlers, handler(stderr, c, cli.IsTerminal(stderr) && !c.JSON))
	}
	if c.File != "" {
		f, err := openLogFile(c.File, c.History, time.Now)
		if err != nil {
			return nil, nil, fmt.Errorf("logging.file: %w; name another file, or remove the key to log to standard error", err)
		}
		closeLog = func() { _ = f.Close() } // there is nowhere left to report an error
		handlers = append(handlers, handler(f, c, !c.JSON))
	}
	return slog.New(slog.NewMultiHandler(handlers...)), closeLog, nil
}

func handler(w io.Writer, c config.Logging, text bool) slog.Handler {
	if text {
		return slog.NewTextHandler(w, &slog.HandlerOptions{Level: c.Level})
	}
	return cloudlog.NewHandler(w, c.Level)
}
