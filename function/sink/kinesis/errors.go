package kinesis

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

// codeDryRun is the error of a call with DryRun that would have succeeded.
const codeDryRun = "DryRunOperationException"

// statusOf returns what an error with this code means for a record. The codes are those of the
// comments in the SDK, and of all services
// (https://docs.aws.amazon.com/kinesis/latest/APIReference/CommonErrors.html).
func statusOf(code string) ordered.Status {
	switch code {
	case "ProvisionedThroughputExceededException", "LimitExceededException", "KMSThrottlingException", "ThrottlingException", "RequestLimitExceeded":
		return ordered.Throttled
	case "InvalidArgumentException", "ValidationException", "ValidationError", "SerializationException":
		return ordered.Refused
	}
	if _, ok := remedyOf(code); ok {
		return ordered.Unavailable
	}
	return ordered.Failed // InternalFailure, and what is not known: the record may have been stored
}

// remedyOf returns what to do about an error that does not pass by itself. In the text, STREAM,
// NAME and REGION stand for the ARN, the name and the region of the stream.
func remedyOf(code string) (remedy string, ok bool) {
	switch code {
	case "ResourceNotFoundException":
		return "create the stream with aws kinesis create-stream --region REGION --stream-name NAME --stream-mode-details StreamMode=ON_DEMAND, or correct the URL of the sink", true
	case "AccessDeniedException", "AccessDenied", "NotAuthorized":
		return "allow the role of this program kinesis:PutRecords on STREAM", true
	case "KMSAccessDeniedException":
		return "the stream is encrypted with a key of KMS: allow the role of this program kms:GenerateDataKey on it", true
	case "KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException", "KMSOptInRequired":
		return "the stream is encrypted with a key of KMS that cannot be used: enable it, or choose another with aws kinesis start-stream-encryption --region REGION --stream-name NAME --encryption-type KMS --key-id KEY", true
	case "UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "IncompleteSignature":
		return "check the credentials of this program", true
	case "OptInRequired":
		return "subscribe the account to Kinesis Data Streams", true
	}
	return "", false
}

// isDenied reports whether err is that of a call that the program may not make.
func isDenied(err error) bool {
	code := codeOf(err)
	return code == "AccessDeniedException" || code == "AccessDenied" || code == "NotAuthorized"
}

// explain adds to an error what to do about it, if that is known.
func (c *streamConfig) explain(err error) error {
	remedy, ok := remedyOf(codeOf(err))
	if !ok {
		return err
	}
	return fmt.Errorf("%w; %s", err, strings.NewReplacer("STREAM", c.arn(), "NAME", c.stream, "REGION", c.region).Replace(remedy))
}

// resultOf returns what became of the records of a call that failed with err.
func (c *streamConfig) resultOf(err error) ordered.Result {
	code := codeOf(err)
	switch status := statusOf(code); {
	case status == ordered.Refused:
		return ordered.Result{Status: status, Err: refusal(code)}
	case code == http.StatusText(http.StatusTooManyRequests):
		return ordered.Result{Status: ordered.Throttled, Err: err}
	default:
		return ordered.Result{Status: status, Err: c.explain(err)}
	}
}

// resultOfRecord returns what became of one record of a call that Kinesis answered otherwise.
func resultOfRecord(code, message string) ordered.Result {
	if statusOf(code) == ordered.Refused {
		return ordered.Result{Status: ordered.Refused, Err: refusal(code)}
	}
	return ordered.Result{Status: statusOf(code), Err: fmt.Errorf("record not taken by Kinesis: %s: %s", code, message)}
}

// refusal returns the error of a record that Kinesis refuses for what it holds. It leaves out the
// text of Kinesis, which may quote the record.
func refusal(code string) error {
	return fmt.Errorf("record refused by Kinesis: %s", code)
}

// codeOf returns the code of an error of a call: that of Kinesis, the status of a response that
// is not of Kinesis, "timeout" or "no answer"; "ok" for nil.
func codeOf(err error) string {
	var api smithy.APIError
	var response *smithyhttp.ResponseError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError":
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.As(err, &response) && response.Response != nil && response.Response.Response != nil:
		return http.StatusText(response.HTTPStatusCode())
	}
	return "no answer"
}
