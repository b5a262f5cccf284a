package kinesis

import (
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

func TestStatusOf(t *testing.T) {
	for status, codes := range map[ordered.Status]string{
		ordered.Throttled:   "ProvisionedThroughputExceededException LimitExceededException KMSThrottlingException ThrottlingException",
		ordered.Refused:     "InvalidArgumentException ValidationException SerializationException",
		ordered.Unavailable: "ResourceNotFoundException AccessDeniedException KMSAccessDeniedException KMSDisabledException KMSInvalidStateException KMSNotFoundException KMSOptInRequired UnrecognizedClientException OptInRequired",
		ordered.Failed:      "InternalFailure InternalFailureException ServiceUnavailable ResourceInUseException ExpiredTokenException InvalidSignatureException timeout SomethingNew",
	} {
		for code := range strings.FieldsSeq(codes) {
			if got := statusOf(code); got != status {
				t.Errorf("%s: %d, want %d", code, got, status)
			}
		}
	}
}
