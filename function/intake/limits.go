package intake

import "time"

// Limits bound the size of a request and the time in which it must arrive.
type Limits struct {
	Body     int64 // bytes as sent
	Inflated int64 // bytes
	InFlight int64 // bytes of all bodies together, as sent and inflated
	Header   int   // bytes

	HeaderTimeout, BodyTimeout time.Duration
}

// Names of the environment variables that the limits and tokens come from. Errors name the
// one to change.
const (
	MaxBody      = "MAX_BODY"
	MaxInflated  = "MAX_INFLATED"
	MaxInFlight  = "MAX_IN_FLIGHT"
	MaxHeader    = "MAX_HEADER"
	BodyTimeout  = "BODY_TIMEOUT"
	TokensSecret = "AUTH_TOKENS_SECRET" //nolint:gosec // a name, not a token
	TokensFile   = "AUTH_TOKENS_FILE"   //nolint:gosec // a name, not a token
)
