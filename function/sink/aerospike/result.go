package aerospike

import (
	"errors"
	"fmt"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
)

// resultError is a result code of the server, or a negative one of the client. Its text has
// neither keys nor bins, unlike some of the client's own.
type resultError struct {
	code    types.ResultCode
	inDoubt bool   // a write may have been carried out nevertheless
	node    string // that answered; "" if none did
	cause   string // of a network error
}

// Error implements error.
func (e *resultError) Error() string {
	text := fmt.Sprintf("code %d, %s", int(e.code), types.ResultCodeToString(e.code))
	if e.cause != "" {
		text += ": " + e.cause
	}
	if e.node != "" {
		text += ", from " + e.node
	}
	if e.inDoubt {
		text += ", which may have been carried out"
	}
	if advice := advices[e.code]; advice != "" {
		text += "; " + advice
	}
	return text
}

// advices says what to do about codes.
var advices = map[types.ResultCode]string{
	types.NETWORK_ERROR:                    "check the address, the firewall, and that tls= is as the server has it",
	types.MAX_ERROR_RATE:                   "too many errors of a node within a second",
	types.SERVER_NOT_AVAILABLE:             "check that the nodes run, and that the addresses that they publish (access-address, or services=alternate) can be reached from here",
	types.CLUSTER_NAME_MISMATCH_ERROR:      "check cluster-name=",
	types.NO_AVAILABLE_CONNECTIONS_TO_NODE: "more connections may help: connections=",
	types.PARAMETER_ERROR:                  "the server takes no record without bins, no TTL above ten years, and for a digest only the set that its record is in",
	types.SERVER_MEM_ERROR:                 "the namespace is full, or its stop-writes is true; give it more room",
	types.ALWAYS_FORBIDDEN:                 "the configuration of the namespace or set forbids it",
	types.BIN_TYPE_ERROR:                   "a bin has another type than the operation needs",
	types.RECORD_TOO_BIG:                   "the record is larger than the namespace takes; see max-record-size and write-block-size there",
	types.KEY_MISMATCH:                     "the record with this digest has another user key",
	types.INVALID_NAMESPACE:                "check the namespace in the URL",
	types.BIN_NAME_TOO_LONG:                "Aerospike takes bin names of up to 15 bytes",
	types.FAIL_FORBIDDEN:                   "a TTL needs nsup-period in the namespace's configuration (or use ttl=never); writes may also be forbidden there",
	types.ENTERPRISE_ONLY:                  "this server is not Enterprise; for deletes without a tombstone use durable-delete=never",
	types.SECURITY_NOT_SUPPORTED:           "this server has no security; leave out user and password-file",
	types.SECURITY_NOT_ENABLED:             "security is off at this server; leave out user and password-file",
	types.INVALID_USER:                     "check user=",
	types.INVALID_PASSWORD:                 "check the content of the password-file",
	types.EXPIRED_PASSWORD:                 "the password has expired; set another one",
	types.FORBIDDEN_PASSWORD:               "the server forbids this password; set another one",
	types.INVALID_CREDENTIAL:               "check user=, the content of the password-file, and auth=",
	types.NOT_AUTHENTICATED:                "this server wants a user; set user and password-file, or auth=pki",
	types.ROLE_VIOLATION:                   "grant the user the role read-write in the namespace",
	types.GEO_INVALID_GEOJSON:              "the server takes no such GeoJSON",
}

// permanentCodes are the codes of what can never be stored as it is. All others may pass, or
// pass once the set-up is right.
var permanentCodes = map[types.ResultCode]bool{
	types.PARAMETER_ERROR: true, types.BIN_TYPE_ERROR: true, types.RECORD_TOO_BIG: true, types.KEY_MISMATCH: true,
	types.INVALID_NAMESPACE: true, types.BIN_NAME_TOO_LONG: true, types.FAIL_FORBIDDEN: true, types.ENTERPRISE_ONLY: true,
	types.GEO_INVALID_GEOJSON: true,
}

// Error returns an error of the client as one that says what to do and has no users' data.
// It is permanent if a retry cannot help.
func Error(err as.Error) error {
	if err == nil {
		return nil
	}
	return newResultError(err).verdict()
}

// newResultError returns the first error in the chain of err that says something.
func newResultError(err as.Error) *resultError {
	e := &resultError{inDoubt: err.IsInDoubt()}
	var ae *as.AerospikeError
	for cause := error(err); errors.As(cause, &ae); cause = ae.Unwrap() {
		if e.code == types.OK || isVague(e.code) {
			e.code = ae.ResultCode
		}
		if ae.Node != nil {
			e.node = ae.Node.GetHost().String()
		}
		if inner := ae.Unwrap(); inner != nil && !errors.As(inner, new(*as.AerospikeError)) {
			e.cause = inner.Error()
			break
		}
	}
	return e
}

// isVague reports whether the client wraps other errors with the code.
func isVague(code types.ResultCode) bool {
	switch code {
	case types.MAX_RETRIES_EXCEEDED, types.INVALID_NODE_ERROR, types.BATCH_FAILED, types.COMMON_ERROR:
		return true
	}
	return false
}

// verdict returns e, marked as permanent if it is.
func (e *resultError) verdict() error {
	if permanentCodes[e.code] && !e.inDoubt {
		return change.Permanent(e)
	}
	return e
}

// code returns the result code of err: OK if it is nil, and COMMON_ERROR if it has none.
func code(err error) types.ResultCode {
	if err == nil {
		return types.OK
	}
	if e := (*resultError)(nil); errors.As(err, &e) {
		return e.code
	}
	return types.COMMON_ERROR
}
