package devnode

// Code is the result code of an answer (aerospike-server, proto.h, AS_OK and AS_ERR_*).
type Code uint8

// The result codes that the node answers. The last five come only from a [Fault].
const (
	OK                 Code = 0
	Unknown            Code = 1
	NotFound           Code = 2
	GenerationMismatch Code = 3
	Parameter          Code = 4
	RecordExists       Code = 5
	BinExists          Code = 6
	IncompatibleType   Code = 12
	RecordTooBig       Code = 13
	Unsupported        Code = 16
	BinNotFound        Code = 17
	KeyMismatch        Code = 19
	NoNamespace        Code = 20
	BinName            Code = 21
	Forbidden          Code = 22 // from a Fault, too: a ttl where records do not expire
	EnterpriseOnly     Code = 25
	OpNotApplicable    Code = 26
	FilteredOut        Code = 27
	NotAuthenticated   Code = 51 // security is not supported
	BadGeoJSON         Code = 160
	NoIndex            Code = 201

	ServerMemory   Code = 8
	Timeout        Code = 9
	Unavailable    Code = 11
	KeyBusy        Code = 14
	DeviceOverload Code = 18
)
