package config

import (
	"math"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Service says where the connector listens and how much it holds.
type Service struct {
	Listen      []string // host:port of the XDR listeners in clear text; may be empty
	TLS         TLSPorts // of XDR
	Manage      []string // host:port of the manage listeners in clear text; may be empty
	ManageTLS   TLSPorts
	ClusterName string // a label on every metric

	MaxRecords      int // changes in flight
	MaxBytes        int // of changes in flight
	MaxMessageBytes int // the largest XDR message
	OrderingBytes   int // of what is remembered for record-ordering
	ReceiveBuffer   int // SO_RCVBUF of an XDR connection; 0 leaves it to the system

	ConnectionTTL time.Duration // after about which an XDR connection is closed; 0 is never
	DrainTimeout  time.Duration // from the signal to the end
}

// Defaults of our own; what has none here has ESP's.
const (
	defaultPort          = 8901
	defaultManagePort    = 8902
	defaultMaxRecords    = 32768
	defaultMaxBytes      = 64 << 20
	defaultOrderingBytes = 64 << 20
	defaultDrain         = 10 * time.Second
)

func service(s *section) Service {
	defer s.end()
	if s.among("protocol", "HTTP_1_1", "HTTP_2") {
		s.fault("protocol", "only databases before 5.0 ship changes over HTTP, and those are not supported; use TCP, with connector true in the dc")
	} else {
		s.word("protocol", "TCP", "TCP")
	}
	for _, key := range []string{"io-threads", "worker-threads"} {
		s.integer(key, 0, 0, math.MaxInt32)
		s.ignored(key, "goroutines are not threads; set GOMAXPROCS to limit the processors")
	}
	s.integer("max-concurrent-requests", 0, 0, math.MaxInt32)
	s.ignored("max-concurrent-requests", "it stands in old Helm charts alone; max-concurrent-records is the limit")
	s.boolean("enable-tcp-xdr-ack-buffering", true)
	s.ignored("enable-tcp-xdr-ack-buffering", "replies that are ready are always written together, and never held back")
	s.integer("http2-max-concurrent-streams", 0, math.MinInt32, math.MaxInt32)
	s.ignored("http2-max-concurrent-streams", "it belongs to changes that come over HTTP, from databases before 5.0")
	c := Service{
		ClusterName:     s.text("cluster-name", "aerosink"),
		MaxRecords:      s.integer("max-concurrent-records", defaultMaxRecords, 1, math.MaxInt32),
		MaxBytes:        s.size("max-concurrent-bytes", defaultMaxBytes, 1<<20, math.MaxInt64),
		MaxMessageBytes: s.size("max-message-bytes", xdr.DefaultLimit, 1<<10, xdr.MaxSize),
		OrderingBytes:   s.size("record-ordering-cache-bytes", defaultOrderingBytes, 1<<20, math.MaxInt64),
		ReceiveBuffer:   s.size("socket-receive-buffer-bytes", 0, 0, math.MaxInt32),
		ConnectionTTL:   connectionTTL(s),
		DrainTimeout:    s.timeout("drain-timeout", defaultDrain, 0, time.Hour, time.Second),
	}
	c.Listen, c.TLS = ports(s, defaultPort)
	if !s.has("port") && !s.has("ports") && !s.has("tls") {
		s.note("port", "not said, so XDR is awaited on port %d; ESP's default is 8080", defaultPort)
	}
	if s.has("manage") {
		m := s.sub("manage")
		c.Manage, c.ManageTLS = ports(m, defaultManagePort)
		m.end()
	}
	if c.MaxMessageBytes > c.MaxBytes {
		s.warn("max-message-bytes", "%d, but the connector holds only %d bytes at once; raise max-concurrent-bytes", c.MaxMessageBytes, c.MaxBytes)
	}
	return c
}

// connectionTTL reads a life time, of which 0 and less mean for ever.
func connectionTTL(s *section) time.Duration {
	return max(0, s.timeout("connection-ttl", 0, -time.Millisecond, math.MaxInt64, time.Second))
}
