package xdr

import (
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
)

// ErrorKind says what is wrong with a frame or message.
type ErrorKind string

// Errors of the framing. The rest of the stream cannot be trusted: close the connection.
const (
	BadProtoVersion ErrorKind = "bad-proto-version"
	BadProtoType    ErrorKind = "bad-proto-type"
	ProtoSizeTooBig ErrorKind = "proto-size-too-big"
)

// Errors of one message. The next message can be read.
const (
	OverLimit           ErrorKind = "over-limit" // the limit of the Reader; the message was skipped
	BadZlib             ErrorKind = "bad-zlib"
	InflatedSizeTooBig  ErrorKind = "uncompressed-size-too-big"
	BadInflatedSize     ErrorKind = "bad-uncompressed-size"
	ShortBody           ErrorKind = "body-shorter-than-as-msg-header"
	BadHeaderSize       ErrorKind = "bad-header-size"
	NotXDR              ErrorKind = "not-xdr"
	NotWrite            ErrorKind = "not-a-write-or-delete"
	TruncatedField      ErrorKind = "truncated-field-header"
	ZeroFieldSize       ErrorKind = "zero-field-size"
	FieldOverrunsBody   ErrorKind = "field-overruns-body"
	MissingNamespace    ErrorKind = "missing-namespace"
	NameTooLong         ErrorKind = "name-too-long"
	MissingDigest       ErrorKind = "missing-digest"
	BadDigestSize       ErrorKind = "bad-digest-size"
	BadLUTSize          ErrorKind = "bad-lut-size"
	BadKey              ErrorKind = "bad-key"
	TruncatedOp         ErrorKind = "truncated-op-header"
	OpOverrunsBody      ErrorKind = "op-overruns-body"
	OpNameOverrunsOp    ErrorKind = "op-name-overruns-op"
	OpLUTOverrunsOp     ErrorKind = "op-lut-overruns-op"
	UnexpectedOp        ErrorKind = "unexpected-op"
	BadParticle         ErrorKind = "bad-particle"
	TooDeep             ErrorKind = "too-deep" // lists and maps nest deeper than change.MaxDepth
	TrailingBytes       ErrorKind = "trailing-bytes"
	DuplicateBin        ErrorKind = "duplicate-bin"
	InflatedNotOneFrame ErrorKind = "uncompressed-is-not-one-message"
)

// Error is an error of a frame or message. Errors of one message are marked with
// change.Permanent. Those of the framing are not a verdict on a change.
type Error struct {
	Kind   ErrorKind
	Offset int    // in bytes from the start of the frame, after decompression
	Detail string // never has data of the record
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("xdr message: %s at byte %d", e.Kind, e.Offset)
	}
	return fmt.Sprintf("xdr message: %s at byte %d: %s", e.Kind, e.Offset, e.Detail)
}

// Framing reports whether the framing of the stream is lost.
func (e *Error) Framing() bool {
	switch e.Kind {
	case BadProtoVersion, BadProtoType, ProtoSizeTooBig:
		return true
	}
	return false
}

// errorAt returns a permanent error of one message.
func errorAt(kind ErrorKind, offset int, detail string, args ...any) error {
	return change.Permanent(&Error{Kind: kind, Offset: offset, Detail: fmt.Sprintf(detail, args...)})
}
