package config

import (
	"time"

	"github.com/aerosink/aerosink/connector/route"
)

// defaultOrderingTTL is ESP's.
const defaultOrderingTTL = 30 * time.Second

// ordering reads record-ordering. It returns nil if that is disabled.
func ordering(s *section) *route.Ordering {
	defer s.End()
	o := &route.Ordering{
		TTL:      s.Seconds("lut-cache-ttl-seconds", defaultOrderingTTL, time.Second, 24*time.Hour),
		AckStale: s.Word("stale", "ack", "ack", "retry") == "ack",
	}
	if !s.Bool("enable", true) {
		return nil
	}
	if o.TTL < patience {
		s.Warn("lut-cache-ttl-seconds", "%s is less than the %s in which XDR may still ship an older version; raise it", o.TTL, patience)
	}
	return o
}
