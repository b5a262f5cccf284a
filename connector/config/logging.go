package config

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
)

// Logging says where the log goes. Without a File it goes to standard error.
type Logging struct {
	File    string // the log file; a new one is started each day in the same folder
	History int    // how many files of earlier days to keep
	Console bool   // also, or instead of a File
	JSON    bool
	Level   slog.Level
}

func logging(s *section) Logging {
	defer s.End()
	l := Logging{
		File:    s.pathOf("file", "file"),
		History: s.Int("max-history", 30, 0, math.MaxInt32),
		Console: s.Bool("enable-console-logging", false),
		JSON:    s.Word("format", "simple", "simple", "json") == "json",
		Level:   logLevel(s.Dictionary("levels")),
	}
	s.Int("ticker-interval", 10, 0, math.MaxInt32)
	s.Ignored("ticker-interval", "statistics are metrics, not log lines")
	if l.File == "" {
		if s.Valid("file") {
			s.Ignored("max-history", "it needs logging.file")
		}
		return l
	}
	switch info, err := os.Lstat(l.File); {
	case err == nil && isDir(l.File):
		s.Error("file", "%s is a folder; name a file in it", l.File)
	case err == nil && !info.Mode().IsRegular(): // such as /dev/stdout; it is not renamed, so that its folder need not be writable
	default:
		s.checkFolder("file", filepath.Dir(l.File))
	}
	return l
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// logLevel returns the level of root. ESP has other loggers too, one for each of its parts.
func logLevel(s *section) slog.Level {
	levels := map[string]slog.Level{
		"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": slog.LevelDebug,
	}
	root := slog.LevelInfo
	for _, logger := range s.Keys {
		word := s.Word(logger, "info", "error", "warn", "info", "debug", "trace")
		if logger != "root" {
			s.Ignored(logger, "there is one level, that of root")
			continue
		}
		root = levels[word]
	}
	return root
}
