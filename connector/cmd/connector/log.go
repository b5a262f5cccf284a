package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/aerosink/aerosink/connector/cloudlog"
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
	return cloudlog.NewHandler(w, c.Level)
}
