package xdr

import (
	//lint:ignore SA1019 Aerospike's digest is RIPEMD-160
	"golang.org/x/crypto/ripemd160" //nolint:gosec,staticcheck // Aerospike's digest is RIPEMD-160

	"github.com/aerosink/aerosink/connector/change"
)

// Digest returns the digest of the record with a user key in a set, as Aerospike's clients
// compute it: the RIPEMD-160 hash of the set's name, the particle type of the key, and the
// particle. The set is "" for a record in no set. The second result is false if key cannot be
// a user key.
func Digest(set string, key change.Value) (d change.Digest, ok bool) {
	kind := key.Kind()
	switch kind {
	case change.KindInteger, change.KindDouble, change.KindString, change.KindBlob:
	default:
		return d, false
	}
	h := ripemd160.New() //nolint:gosec // as above
	h.Write([]byte(set))
	h.Write(AppendParticle([]byte{byte(kind)}, key))
	h.Sum(d[:0])
	return d, true
}
