package xdr

import (
	"fmt"

	"github.com/aerosink/aerosink/connector/change"
)

// Fault names what is wrong with a frame or message.
type Fault string

// Faults of the framing. What follows on the connection cannot be trusted; the
// only safe answer is to close it.
const (
	BadProtoVersion Fault = "bad-proto-version"
	BadProtoType    Fault = "bad-proto-type"
	ProtoSizeTooBig Fault = "proto-size-too-big"
)

// Faults of one message. The framing holds, the next message can be read.
const (
	OverLimit           Fault = "over-limit" // of the reader; the message was skipped
	BadZlib             Fault = "bad-zlib"
	InflatedSizeTooBig  Fault = "uncompressed-size-too-big"
	BadInflatedSize     Fault = "bad-uncompressed-size"
	ShortBody           Fault = "body-shorter-than-as-msg-header"
	BadHeaderSize       Fault = "bad-header-size"
	NotXDR              Fault = "not-xdr"
	NotWrite            Fault = "not-a-write-or-delete"
	TruncatedField      Fault = "truncated-field-header"
	ZeroFieldSize       Fault = "zero-field-size"
	FieldOverrunsBody   Fault = "field-overruns-body"
	MissingNamespace    Fault = "missing-namespace"
	NameTooLong         Fault = "name-too-long"
	MissingDigest       Fault = "missing-digest"
	BadDigestSize       Fault = "bad-digest-size"
	BadLUTSize          Fault = "bad-lut-size"
	BadKey              Fault = "bad-key"
	TruncatedOp         Fault = "truncated-op-header"
	OpOverrunsBody      Fault = "op-overruns-body"
	OpNameOverrunsOp    Fault = "op-name-overruns-op"
	OpLUTOverrunsOp     Fault = "op-lut-overruns-op"
	UnexpectedOp        Fault = "unexpected-op"
	BadParticle         Fault = "bad-particle"
	TooDeep             Fault = "too-deep" // lists and maps, more than change.MaxDepth
	TrailingBytes       Fault = "trailing-bytes"
	InflatedNotOneFrame Fault = "uncompressed-is-not-one-message"
)

// Error is a fault and where it is. Errors of one message are marked
// change.Permanent; those of the framing are no verdict on any change.
type Error struct {
	Fault  Fault
	Offset int    // in bytes from the start of the frame; in an inflated frame, of what it inflated to
	Detail string // never holds the record's data
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return fmt.Sprintf("xdr message: %s at byte %d", e.Fault, e.Offset)
	}
	return fmt.Sprintf("xdr message: %s at byte %d: %s", e.Fault, e.Offset, e.Detail)
}

// Framing reports whether the stream's framing is lost.
func (e *Error) Framing() bool {
	switch e.Fault {
	case BadProtoVersion, BadProtoType, ProtoSizeTooBig:
		return true
	}
	return false
}

func faulty(fault Fault, offset int, detail string, args ...any) error {
	return change.Permanent(&Error{Fault: fault, Offset: offset, Detail: fmt.Sprintf(detail, args...)})
}
