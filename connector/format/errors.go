package format

import (
	"errors"
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
)

// ErrTooLarge is wrapped by the error for a body or a change that exceeds one of
// the Limits, which the error names. It is permanent.
var ErrTooLarge = errors.New("too large")

// ErrMediaType is wrapped by the error for a media type that no format has. It
// is permanent.
var ErrMediaType = errors.New("unsupported media type")

// ErrDepth is the error for a value that nests deeper than any format can.
var ErrDepth = fmt.Errorf("%w: lists and maps nest deeper than %d", ErrTooLarge, change.MaxDepth)

// AppendError returns the error for a change that the named format cannot express. It
// says where, for example in which bin, and never quotes the value.
func AppendError(format, where, detail string, args ...any) error {
	return change.Permanent(fmt.Errorf("write %s: %s: %s", format, where, fmt.Sprintf(detail, args...)))
}

// bodyError is what is wrong with the bytes of a request body, and where.
type bodyError struct {
	offset int // from the start of the body
	reason error
}

func (e *bodyError) Error() string { return fmt.Sprintf("byte %d: %v", e.offset, e.reason) }

func (e *bodyError) Unwrap() error { return e.reason }

// ErrorAt returns the error for bytes that are not a change. The offset counts from
// the start of the request body. It must never quote the data.
func ErrorAt(offset int, detail string, args ...any) error {
	return change.Permanent(&bodyError{offset, fmt.Errorf(detail, args...)})
}

// TooLargeAt is like ErrorAt, for what exceeds one of the Limits.
func TooLargeAt(offset int, detail string, args ...any) error {
	return ErrorAt(offset, "%w: %w", ErrTooLarge, fmt.Errorf(detail, args...))
}

// OffsetOf returns the offset in the body, in bytes, that an error of Parse names; 0
// if it names none.
func OffsetOf(err error) int { return offsetOf(err, 0) }

// offsetOf returns the offset that err names, and otherwise if it names none.
func offsetOf(err error, otherwise int) int {
	if e := (*bodyError)(nil); errors.As(err, &e) {
		return e.offset
	}
	return otherwise
}
