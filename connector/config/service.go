package config

import (
	"math"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/xdr"
)

// Service says where the connector listens, and sets its limits.
type Service struct {
	Listen      []string // host:port of the XDR listeners in clear text; may be empty
	TLS         TLSPorts // of XDR
	Manage      []string // host:port of the manage listeners in clear text; may be empty
	ManageTLS   TLSPorts
	ClusterName string // a label on every metric

	Allow []netip.Prefix // networks that XDR connections may come from; nil allows all

	MaxRecords      int // changes in flight
	MaxBytes        int // bytes of changes in flight
	MaxMessageBytes int // the largest XDR message
	OrderingBytes   int // of memory for record-ordering
	ReceiveBuffer   int // SO_RCVBUF of an XDR connection; 0 means the default of the system

	ConnectionTTL time.Duration // about how long an XDR connection lasts; 0 means no limit
	DrainTimeout  time.Duration // how long to wait for changes in flight after SIGTERM
}

// Defaults that differ from ESP's, or that ESP does not have.
const (
	defaultPort          = 8901
	defaultManagePort    = 8902
	defaultMaxRecords    = 32768
	defaultMaxBytes      = 64 << 20
	defaultOrderingBytes = 64 << 20
	defaultDrain         = 10 * time.Second
)

func service(s *section) Service {
	defer s.End()
	if s.IsOneOf("protocol", "HTTP_1_1", "HTTP_2") {
		s.Error("protocol", "only databases before 5.0 ship changes over HTTP, and those are not supported; use TCP, with connector true in the dc")
	} else {
		s.Word("protocol", "TCP", "TCP")
	}
	for _, key := range []string{"io-threads", "worker-threads"} {
		s.Int(key, 0, 0, math.MaxInt32)
		s.Ignored(key, "goroutines are not threads; set GOMAXPROCS to limit the processors")
	}
	s.Int("max-concurrent-requests", 0, 0, math.MaxInt32)
	s.Ignored("max-concurrent-requests", "it occurs only in old Helm charts; max-concurrent-records is the limit")
	s.Bool("enable-tcp-xdr-ack-buffering", true)
	s.Ignored("enable-tcp-xdr-ack-buffering", "replies that are ready are always written together, and never held back")
	s.Int("http2-max-concurrent-streams", 0, math.MinInt32, math.MaxInt32)
	s.Ignored("http2-max-concurrent-streams", "it applies only to changes over HTTP, from databases before 5.0")
	c := Service{
		ClusterName:     s.Text("cluster-name", "aerosink"),
		MaxRecords:      s.Int("max-concurrent-records", defaultMaxRecords, 1, math.MaxInt32),
		MaxBytes:        s.Size("max-concurrent-bytes", defaultMaxBytes, 1<<20, math.MaxInt64),
		MaxMessageBytes: s.Size("max-message-bytes", xdr.DefaultLimit, 1<<10, xdr.MaxSize),
		OrderingBytes:   s.Size("record-ordering-cache-bytes", defaultOrderingBytes, 1<<20, math.MaxInt64),
		ReceiveBuffer:   s.Size("socket-receive-buffer-bytes", 0, 0, math.MaxInt32),
		ConnectionTTL:   connectionTTL(s, 0),
		DrainTimeout:    s.Timeout("drain-timeout", defaultDrain, 0, time.Hour, time.Second),
	}
	c.Allow = allowed(s)
	c.Listen, c.TLS = ports(s, defaultPort)
	checkClearText(s, c)
	if !s.Has("port") && !s.Has("ports") && !s.Has("tls") {
		s.Note("port", "not set, so XDR is received on port %d; ESP's default is 8080", defaultPort)
	}
	if s.Has("manage") {
		m := s.Sub("manage")
		c.Manage, c.ManageTLS = ports(m, defaultManagePort)
		m.End()
	}
	if c.MaxMessageBytes > c.MaxBytes && s.Valid("max-message-bytes", "max-concurrent-bytes") {
		s.Warn("max-message-bytes", "%d, but the connector holds only %d bytes at once; raise max-concurrent-bytes", c.MaxMessageBytes, c.MaxBytes)
	}
	return c
}

// connectionTTL reads connection-ttl. 0 and negative values mean no limit.
func connectionTTL(s *section, absent time.Duration) time.Duration {
	return max(0, s.Timeout("connection-ttl", absent, -time.Millisecond, math.MaxInt64, time.Second))
}

// ports returns the numbers of the ports for XDR, in the order of the file.
func (s *Service) ports() []int {
	var numbers []int
	for _, address := range slices.Concat(s.Listen, s.TLS.Listen) {
		_, port, err := net.SplitHostPort(address)
		number, notNumber := strconv.Atoi(port)
		if err == nil && notNumber == nil && !slices.Contains(numbers, number) {
			numbers = append(numbers, number)
		}
	}
	return numbers
}
