package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/aerosink/aerosink/function/sink/awsconfig"
)

// NewClient returns a client of S3 in a region, "" for that of the environment. It makes one
// attempt for each call.
//
// Over TLS, requests are signed without a hash of their body: TLS and the CRC32C of an object
// protect it already, and a SHA-256 of it would be the most expensive part of a write.
func NewClient(ctx context.Context, region string) (*s3.Client, error) {
	c, err := awsconfig.Load(ctx, region)
	if err != nil {
		return nil, err
	}
	if c.Region == "" {
		return nil, errors.New("no region: add region= to the URL, or set AWS_REGION")
	}
	return s3.NewFromConfig(c, func(o *s3.Options) {
		own := o.BaseEndpoint != nil // an emulator, or another store, which hardly has a host name for each bucket
		o.UsePathStyle = own
		o.DisableLogOutputChecksumValidationSkipped = true // replay verifies the checksum of an archive itself
		if !own || strings.HasPrefix(*o.BaseEndpoint, "https:") {
			o.APIOptions = append(o.APIOptions, unsignedBody)
		}
	}), nil
}

// unsignedBody has PutObject requests signed without a hash of their body.
func unsignedBody(stack *middleware.Stack) error {
	if stack.ID() != "PutObject" {
		return nil
	}
	return v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware(stack)
}

// Advise adds to an error of S3 what to do about it, if that is known.
func Advise(err error) error {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return err
	}
	switch code := e.ErrorCode(); {
	case code == "NoSuchBucket":
		return fmt.Errorf("%w; create the bucket, or correct its name", err)
	case code == "AccessDenied" || code == "AllAccessDisabled":
		return fmt.Errorf("%w; grant s3:PutObject on the objects to write, s3:GetObject and s3:ListBucket to read", err)
	case code == "PermanentRedirect" || code == "AuthorizationHeaderMalformed" || code == "IllegalLocationConstraintException" || StatusOf(err) == http.StatusMovedPermanently:
		return fmt.Errorf("%w; the bucket is in another region: add region= to the URL", err)
	case strings.HasPrefix(code, "KMS."):
		return fmt.Errorf("%w; grant kms:GenerateDataKey on the bucket's key to write, kms:Decrypt to read, and see that it is enabled", err)
	}
	return err
}

// StatusOf returns the status of the response that an error is about, 0 if there was none.
func StatusOf(err error) int {
	var e *awshttp.ResponseError
	if !errors.As(err, &e) {
		return 0
	}
	return e.HTTPStatusCode()
}

// ErrNotFromS3 is the error of a success that S3 has not answered. The SDK does not look at what
// the body holds, so that a page of a proxy is a success to it; but only S3 names an ETag.
var ErrNotFromS3 = errors.New("the response has no ETag, so it is not from S3; see what is between this program and S3")

// isFromS3 reports whether S3 has answered an error, and not something on the way: the SDK makes
// up a code for any response, but only S3 gives a request an ID.
func isFromS3(err error) bool {
	var e *awshttp.ResponseError
	return errors.As(err, &e) && e.ServiceRequestID() != ""
}

// IsPreconditionFailed reports whether S3 has answered that the condition of a request does not
// hold.
func IsPreconditionFailed(err error) bool {
	return StatusOf(err) == http.StatusPreconditionFailed && isFromS3(err)
}

// codeOf returns the code of an error of S3, "" if it has none.
func codeOf(err error) string {
	var e smithy.APIError
	if !errors.As(err, &e) {
		return ""
	}
	return e.ErrorCode()
}
