package sqs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/aerosink/aerosink/function/sink/ordered"
)

// Codes of errors without a type in AWS's client (the SQS API reference, "Common Errors", and
// the codes of AWS's own retries). Those of messages come as text only.
var (
	throttledCodes = codes("RequestThrottled ThrottlingException Throttling RequestLimitExceeded TooManyRequestsException SlowDown OverLimit KmsThrottled KMS.ThrottlingException")
	forbiddenCodes = codes("AccessDenied AccessDeniedException InvalidSecurity NotAuthorized OptInRequired InvalidClientTokenId UnrecognizedClientException MissingAuthenticationToken MissingAuthenticationTokenException InvalidAccessKeyId")
	passingCodes   = codes("ExpiredToken ExpiredTokenException RequestExpired InvalidSignatureException SignatureDoesNotMatch InternalError InternalFailure ServiceUnavailable")

	// refusedCodes blame the call for what is in it. SQS answers them for single messages; if
	// it answers one for a call, send looks for the message.
	refusedCodes = codes("InvalidMessageContents InvalidParameterValue InvalidParameterCombination InvalidAttributeName InvalidAttributeValue MissingParameter BatchRequestTooLong AWS.SimpleQueueService.BatchRequestTooLong ValidationException ValidationError SerializationException")
)

func codes(text string) map[string]bool {
	set := map[string]bool{}
	for code := range strings.FieldsSeq(text) {
		set[code] = true
	}
	return set
}

// isKMS reports whether a code is about the key that encrypts the queue.
func isKMS(code string) bool {
	return strings.HasPrefix(code, "KMS.") || strings.HasPrefix(code, "Kms")
}

// resultOf returns what became of the messages of a call that failed with err.
func (c *client) resultOf(err error) ordered.Result {
	if err == nil {
		return ordered.Result{}
	}
	var (
		throttled    *types.RequestThrottled
		kmsThrottled *types.KmsThrottled
		missing      *types.QueueDoesNotExist
		address      *types.InvalidAddress
		tooLong      *types.BatchRequestTooLong
		contents     *types.InvalidMessageContents
		api          smithy.APIError
	)
	code := ""
	if errors.As(err, &api) {
		code = api.ErrorCode()
	}
	status := statusOf(err)
	switch {
	case errors.As(err, &throttled), errors.As(err, &kmsThrottled), throttledCodes[code], status == http.StatusTooManyRequests:
		return ordered.Result{Status: ordered.Throttled, Err: err}
	case errors.As(err, &missing), errors.As(err, &address):
		return ordered.Result{Status: ordered.Unavailable, Err: fmt.Errorf("%w; %s", err, c.howToCreate())}
	case errors.As(err, &tooLong), errors.As(err, &contents), refusedCodes[code]:
		return ordered.Result{Status: ordered.Refused, Err: refusal(code)}
	case isKMS(code):
		return ordered.Result{Status: ordered.Unavailable, Err: fmt.Errorf("%w; %s", err, howToAllowKey)}
	case forbiddenCodes[code]:
		return ordered.Result{Status: ordered.Unavailable, Err: fmt.Errorf("%w; %s", err, c.howToAllow("sqs:SendMessage"))}
	case passingCodes[code], status >= http.StatusInternalServerError, status == http.StatusRequestTimeout, status < http.StatusBadRequest:
		return ordered.Result{Status: ordered.Failed, Err: err}
	}
	return ordered.Result{Status: ordered.Unavailable, Err: err}
}

// resultOfEntry returns what became of one message of a call that SQS answered otherwise.
func (c *client) resultOfEntry(code string, senderFault bool) ordered.Result {
	err := fmt.Errorf("SQS does not take the message: %s", code)
	switch {
	case throttledCodes[code]:
		return ordered.Result{Status: ordered.Throttled, Err: err}
	case isKMS(code):
		return ordered.Result{Status: ordered.Unavailable, Err: fmt.Errorf("%w; %s", err, howToAllowKey)}
	case forbiddenCodes[code]:
		return ordered.Result{Status: ordered.Unavailable, Err: fmt.Errorf("%w; %s", err, c.howToAllow("sqs:SendMessage"))}
	case senderFault && !passingCodes[code]:
		return ordered.Result{Status: ordered.Refused, Err: refusal(code)}
	}
	return ordered.Result{Status: ordered.Failed, Err: err}
}

// refusal returns the error of a message that SQS refuses for what it holds. It leaves out the
// text of SQS, which may quote the message.
func refusal(code string) error { return fmt.Errorf("SQS refuses the message: %s", code) }

// blame returns the result for a message. A refusal of several changes is blamed on the queue:
// what is packed is text, and not too large.
func (m *message) blame(r ordered.Result) ordered.Result {
	if r.Status == ordered.Refused && m.changes > 1 {
		r.Status = ordered.Unavailable
	}
	return r
}

// statusOf returns the HTTP status of the response that err comes from, 0 if there was none.
func statusOf(err error) int {
	var response *smithyhttp.ResponseError
	if errors.As(err, &response) && response.Response != nil && response.Response.Response != nil {
		return response.HTTPStatusCode()
	}
	return 0
}

// codeOf returns the value of the label code for a call: the code of SQS, the HTTP status of a
// response that is not of SQS, "timeout" or "no answer"; "ok" for nil.
func codeOf(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &api) && api.ErrorCode() != "" && api.ErrorCode() != "UnknownError":
		return api.ErrorCode()
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case statusOf(err) != 0:
		return http.StatusText(statusOf(err))
	}
	return "no answer"
}

// howToCreate says how to create the queue.
func (c *queueConfig) howToCreate() string {
	return fmt.Sprintf("create it with aws sqs create-queue --region %s --queue-name %s --attributes %s", c.region, c.name, throughputAttributes)
}

// throughputAttributes make a FIFO queue with high throughput: its limits hold for each group.
const throughputAttributes = "FifoQueue=true,DeduplicationScope=messageGroup,FifoThroughputLimit=perMessageGroupId"

// howToAllow says which permission is missing.
func (c *queueConfig) howToAllow(action string) string {
	return fmt.Sprintf("allow the role of this program %s on arn:aws:sqs:%s:%s:%s", action, c.region, c.account, c.name)
}

const howToAllowKey = "the queue is encrypted with a key of KMS: see that it is enabled, and allow the role of this program kms:GenerateDataKey and kms:Decrypt on it"
