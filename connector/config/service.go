package config

import (
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Defaults of our own; what has none here has ESP's.
const (
	defaultPort       = 8901
	defaultManagePort = 8902
	defaultMaxRecords = 32768
	defaultMaxBytes   = 64 << 20
	defaultDrain      = 10 * time.Second
)

func service(s *section) Service {
	defer s.end()
	s.word("protocol", "TCP", "TCP")
	for _, key := range []string{"io-threads", "worker-threads"} {
		s.integer(key, 0, 0, math.MaxInt32)
		s.ignored(key, "goroutines are not threads; set GOMAXPROCS to limit the processors")
	}
	s.boolean("enable-tcp-xdr-ack-buffering", true)
	s.ignored("enable-tcp-xdr-ack-buffering", "replies that are ready are always written together, and never held back")
	s.refused("http2-max-concurrent-streams", "only servers before 5.0 ship changes over HTTP, and those are not supported")
	s.refused("tls", "TLS towards the database is not supported yet; put the connector beside it, or a TLS proxy in front")
	return Service{
		Listen:          listen(s, defaultPort),
		Manage:          manage(s),
		ClusterName:     s.text("cluster-name", "aerosink"),
		MaxRecords:      s.integer("max-concurrent-records", defaultMaxRecords, 1, math.MaxInt32),
		MaxBytes:        s.integer("max-concurrent-bytes", defaultMaxBytes, 1<<20, math.MaxInt64),
		MaxMessageBytes: s.integer("max-message-bytes", xdr.DefaultLimit, 1<<10, xdr.MaxSize),
		ReceiveBuffer:   s.integer("socket-receive-buffer-bytes", 0, 0, math.MaxInt32),
		DrainTimeout:    s.duration("drain-timeout", defaultDrain, 0, time.Hour, time.Millisecond),
	}
}

func manage(s *section) []string {
	if !s.has("manage") {
		return nil
	}
	m := s.sub("manage")
	defer m.end()
	m.refused("tls", "TLS on the manage port is not supported yet")
	return listen(m, defaultManagePort)
}

// listen joins every address with every port. ESP's tables call the key port, and
// its samples ports.
func listen(s *section, port int) []string {
	addresses := s.texts("address")
	if len(addresses) == 0 {
		addresses = []string{"0.0.0.0"}
	}
	var ports []int
	for _, key := range []string{"port", "ports"} {
		for i, n := range s.list(key) {
			ports = append(ports, s.parseInteger(fmt.Sprintf("%s[%d]", key, i), n, port, 0, math.MaxUint16))
		}
	}
	if len(ports) == 0 {
		ports = []int{port}
	}
	var joined []string
	for _, a := range addresses {
		for _, p := range ports {
			joined = append(joined, net.JoinHostPort(a, strconv.Itoa(p)))
		}
	}
	return joined
}

func logging(s *section) Logging {
	defer s.end()
	l := Logging{
		File:    s.text("file", ""),
		Console: s.boolean("enable-console-logging", false),
		JSON:    s.word("format", "simple", "simple", "json") == "json",
	}
	s.integer("max-history", 30, 0, math.MaxInt32)
	s.ignored("max-history", "the file is not rotated; let logrotate do it, with copytruncate")
	s.integer("ticker-interval", 10, 0, math.MaxInt32)
	s.ignored("ticker-interval", "figures are metrics, not log lines")
	levels := s.sub("levels")
	for _, logger := range levels.order {
		level := levels.word(logger, "info", "error", "warn", "info", "debug", "trace")
		if logger != "root" {
			levels.ignored(logger, "there is one level, that of root")
			continue
		}
		l.Level = map[string]slog.Level{"error": slog.LevelError, "warn": slog.LevelWarn, "info": slog.LevelInfo}[level]
		if level == "debug" || level == "trace" {
			l.Level = slog.LevelDebug
		}
	}
	if l.File != "" {
		if info, err := os.Stat(l.File); err == nil && info.IsDir() {
			s.fault("file", "%s is a folder", l.File)
		}
	}
	return l
}
