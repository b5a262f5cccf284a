package format

import (
	"errors"
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
)

// ErrTooLarge is wrapped by the error for a body or a change that exceeds one of
// the Limits. The error is permanent and names the limit.
var ErrTooLarge = errors.New("too large")

// ErrMediaType is wrapped by the error for a media type that no format has. The
// error is permanent.
var ErrMediaType = errors.New("unsupported media type")

// ErrContentCoding is wrapped by the error for a body that is compressed although the
// request does not say so. It is permanent.
var ErrContentCoding = errors.New("undeclared content coding")

// ErrDepth is the error for a value that nests deeper than any format can.
var ErrDepth = fmt.Errorf("%w: lists and maps nest deeper than %d", ErrTooLarge, change.MaxDepth)

// AppendError returns the error for a change that the named format cannot express. It
// says where, for example in which bin, and never quotes the value.
func AppendError(format, where, detail string, args ...any) error {
	return change.Permanent(fmt.Errorf("write %s: %s: %s", format, where, fmt.Sprintf(detail, args...)))
}

// bodyError is an error in a request body and its offset.
type bodyError struct {
	offset int // from the start of the body
	reason error
}

func (e *bodyError) Error() string { return fmt.Sprintf("byte %d: %v", e.offset, e.reason) }

func (e *bodyError) Unwrap() error { return e.reason }

// ErrorAt returns the error for bytes that are not a change. The offset counts from
// the start of the request body. The detail must never quote the data.
func ErrorAt(offset int, detail string, args ...any) error {
	return change.Permanent(&bodyError{offset, fmt.Errorf(detail, args...)})
}

// TooLargeAt is like ErrorAt, for data that exceed one of the Limits.
func TooLargeAt(offset int, detail string, args ...any) error {
	return ErrorAt(offset, "%w: %w", ErrTooLarge, fmt.Errorf(detail, args...))
}

// DuplicateBin returns the error for a change in which two bins have one name. The first
// would be lost wherever bins are the members of an object.
func DuplicateBin(offset int, name string) error {
	return ErrorAt(offset, "two bins are named %.40q", name)
}

// OffsetOf returns the offset in the body, in bytes, that an error of Parse names, or 0
// if it names none.
func OffsetOf(err error) int { return offsetOf(err, 0) }

// offsetOf is like OffsetOf, but returns otherwise if err names no offset.
func offsetOf(err error, otherwise int) int {
	if e := (*bodyError)(nil); errors.As(err, &e) {
		return e.offset
	}
	return otherwise
}
