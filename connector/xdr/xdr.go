// Package xdr implements XDR, the protocol with which an Aerospike node replicates changes
// to a connector. [Reader] splits a stream into frames, [Decoder] decodes a frame to a
// change.Change, [AppendMessage] encodes a change to a frame, and [AppendReply] encodes a
// reply.
//
// A node opens the connection and sends only requests. The receiver sends only replies, one
// for each request in the same order, since a reply is matched to its request by position
// alone. All integers are big-endian.
//
//	proto header, 8 bytes            version · type · length of the rest (48 bits)
//	message header, 22 bytes         size · info1 … info4 · result code · generation ·
//	                                 ttl · transaction ttl · number of fields · number of ops
//	fields                           length (32 bits, of type and data) · type · data
//	ops, one for each bin            length (32 bits, of the rest) · op · particle type ·
//	                                 flags · name length · name · LUT if flags say so · value
//
// The layout is that of aerospike-server, as/include/base/proto.h (as_proto,
// as_msg, as_msg_field, as_msg_op). The package does not know networks,
// configuration, HTTP or logs.
package xdr

// Proto header: proto.h, PROTO_VERSION, PROTO_TYPE_AS_MSG,
// PROTO_TYPE_AS_MSG_COMPRESSED, PROTO_SIZE_MAX.
const (
	protoVersion   = 2
	typeMessage    = 3
	typeCompressed = 4
	protoHeader    = 8

	// MaxSize bounds the length in a proto header, in bytes. The server ships nothing
	// larger.
	MaxSize = 128 << 20
)

const messageHeader = 22

// The longest names in bytes: aerospike-server, as/include/base/datamodel.h,
// AS_ID_NAMESPACE_SZ and AS_SET_NAME_MAX_SIZE, without the terminator.
const (
	longestNamespace = 31
	longestSet       = 63
)

// Bits of the message header's info bytes: proto.h, AS_MSG_INFO1_XDR,
// AS_MSG_INFO2_WRITE, AS_MSG_INFO2_DELETE, AS_MSG_INFO2_DURABLE_DELETE,
// AS_MSG_INFO3_CREATE_OR_REPLACE.
const (
	info1XDR = 0x10

	info2Write   = 0x01
	info2Delete  = 0x02
	info2Durable = 0x10 // of a delete; of a write: bin LUTs are shipped

	info3Replace = 0x10
)

// Field types: proto.h, AS_MSG_FIELD_TYPE_*.
const (
	fieldNamespace = 0
	fieldSet       = 1
	fieldKey       = 2
	fieldDigest    = 4
	fieldLUT       = 14
)

const (
	opWrite   = 2    // proto.h, AS_MSG_OP_WRITE
	opHeader  = 4    // op, particle type, flags and name length
	opHasLUT  = 0x01 // proto.h, as_msg_op, has_lut
	lutBytes  = 8
	lutMask   = 1<<40 - 1 // aerospike-server, index.h: last_update_time has 40 bits
	lutSource = 40        // the source id is above the time

	// citrusleafEpoch is 2010-01-01T00:00:00Z in Unix milliseconds, where
	// Aerospike's clock starts (aerospike-common, cf_clock.h,
	// cf_clepoch_milliseconds).
	citrusleafEpoch = 1262304000000
)

// A ttl is in seconds from now, except for these values: aerospike-client-go,
// write_policy.go, TTLServerDefault, TTLDontExpire, TTLDontUpdate.
const (
	ttlDefault    = 0
	ttlNever      = 0xFFFFFFFF
	ttlDontUpdate = 0xFFFFFFFE
)

// MonitorSet is the set in which a server of release 8 keeps the monitor records of its
// transactions. They are internal to the server: a receiver acknowledges and drops them.
const MonitorSet = "<ERO~MRT"
