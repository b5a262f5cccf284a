package xdr

import (
	"encoding/binary"
	"fmt"
)

// Code is the result code of a reply.
type Code uint8

// Codes that a receiver sends. Other positive codes, unless [Code.Retry] is true for them,
// make XDR abandon the change for good.
const (
	OK      Code = 0  // proto.h, AS_OK: the change is shipped
	Retry   Code = 18 // proto.h, AS_ERR_DEVICE_OVERLOAD: XDR ships the record again
	Missing Code = 2  // proto.h, AS_ERR_NOT_FOUND: XDR takes it for OK
)

// Done reports whether XDR takes c for success.
func (c Code) Done() bool { return c == OK || c == Missing }

// Retry reports whether XDR ships the record again after c. The codes are those
// of Aerospike's "XDR 5.0 error codes" (discuss.aerospike.com, topic 7607): out of
// space, timeout, unavailable, key busy, device overload, not authenticated.
func (c Code) Retry() bool {
	switch c {
	case 8, 9, 11, 14, Retry, 80:
		return true
	}
	return false
}

// ReplySize is the length of a reply that [AppendReply] writes, in bytes.
const ReplySize = protoHeader + messageHeader

const resultCode = 5 // offset in the message header

// AppendReply appends the reply to a request: a message header with the result code, as a
// server sends it.
func AppendReply(dst []byte, c Code) []byte {
	var reply [ReplySize]byte
	binary.BigEndian.PutUint64(reply[:], protoVersion<<56|typeMessage<<48|messageHeader)
	reply[protoHeader] = messageHeader
	reply[protoHeader+resultCode] = byte(c)
	return append(dst, reply[:]...)
}

// ParseReply returns the result code of a reply. Like the database, it reads only that byte
// of the header.
func ParseReply(f Frame) (Code, error) {
	if f.Compressed() || len(f) < ReplySize {
		return 0, fmt.Errorf("xdr reply of type %d and %d bytes, want %d and %d", f[1], len(f), typeMessage, ReplySize)
	}
	return Code(f[protoHeader+resultCode]), nil
}
