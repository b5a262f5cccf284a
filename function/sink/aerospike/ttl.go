package aerospike

import (
	"math"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

// ttl says when what a change writes expires. The zero ttl is the namespace's default.
type ttl struct {
	kind  ttlKind
	fixed uint32 // of ttlFixed, in seconds, or a special value of the client
}

type ttlKind uint8

const (
	ttlFixed     ttlKind = iota // the same for all
	ttlRemaining                // when the record expires at the source
	ttlAbsolute                 // after the time that the record had left at its last update
)

// The largest TTL that the server takes is ten years.
const maxTTL = 3650 * 24 * time.Hour

// parseTTL reads a parameter that is a TTL.
func parseTTL(q *sink.Query, name, absent string) ttl {
	switch text := q.Text(name, absent); text {
	case "default":
		return ttl{fixed: as.TTLServerDefault}
	case "never":
		return ttl{fixed: as.TTLDontExpire}
	case "remaining":
		return ttl{kind: ttlRemaining}
	case "absolute":
		return ttl{kind: ttlAbsolute}
	default:
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second || d > maxTTL || d%time.Second != 0 {
			q.Fail("invalid %s=%s: want default, never, remaining, absolute, or whole seconds up to ten years such as 24h", name, text)
			return ttl{}
		}
		return ttl{fixed: uint32(d / time.Second)}
	}
}

// lastTTL is what a change gets that has expired already, in seconds. It is written all the
// same: a newer one may follow that prolongs the record, and need not have all of its bins.
const lastTTL = 60

// of returns the TTL of what c writes at that time, in seconds or as a special value of the
// client.
func (t ttl) of(c *change.Change, now time.Time) uint32 {
	if t.kind == ttlFixed {
		return t.fixed
	}
	switch c.Expiry {
	case 0:
		return as.TTLDontExpire
	case change.ExpiryUnknown:
		return as.TTLServerDefault
	}
	since := now.Unix()
	if t.kind == ttlAbsolute && c.LUT > 0 {
		since = c.LUT / 1000
	}
	if left := c.Expiry - since; left > 0 {
		return uint32(min(left, math.MaxInt32))
	}
	return lastTTL
}
