package config

import (
	"log/slog"
	"math"
	"os"
	"path/filepath"
)

// Logging says where the log goes. Without a File it goes to standard error.
type Logging struct {
	File    string // a new one begins each day, in the same folder
	History int    // files of other days that are kept
	Console bool   // also, or instead of a File
	JSON    bool
	Level   slog.Level
}

func logging(s *section) Logging {
	defer s.end()
	l := Logging{
		File:    s.pathOf("file", "file"),
		History: s.integer("max-history", 30, 0, math.MaxInt32),
		Console: s.boolean("enable-console-logging", false),
		JSON:    s.word("format", "simple", "simple", "json") == "json",
		Level:   level(s.dictionary("levels")),
	}
	s.integer("ticker-interval", 10, 0, math.MaxInt32)
	s.ignored("ticker-interval", "figures are metrics, not log lines")
	if l.File == "" {
		s.ignored("max-history", "there is no file to keep")
		return l
	}
	if info, err := os.Stat(l.File); err == nil && info.IsDir() {
		s.fault("file", "%s is a folder; name a file in it", l.File)
		return l
	}
	s.checkFolder("file", filepath.Dir(l.File))
	return l
}

// level returns the level of root. ESP has a logger for each part of it.
func level(s *section) slog.Level {
	levels := map[string]slog.Level{
		"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo, "debug": slog.LevelDebug, "trace": slog.LevelDebug,
	}
	root := slog.LevelInfo
	for _, logger := range s.order {
		word := s.word(logger, "info", "error", "warn", "info", "debug", "trace")
		if logger != "root" {
			s.ignored(logger, "there is one level, that of root")
			continue
		}
		root = levels[word]
	}
	return root
}
