package main

import (
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"strconv"

	//lint:ignore SA1019 Aerospike's digest is RIPEMD-160
	"golang.org/x/crypto/ripemd160" //nolint:gosec,staticcheck // Aerospike's digest is RIPEMD-160

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
)

// keyOptions are the flags of sink digest.
type keyOptions struct{ integer, bytes, hex bool }

func (o *keyOptions) flags(f *flag.FlagSet) {
	f.BoolVar(&o.integer, "int", false, "KEY is an integer")
	f.BoolVar(&o.bytes, "bytes", false, "KEY is bytes, in hexadecimal")
	f.BoolVar(&o.hex, "x", false, "print hexadecimal instead of Base64")
}

// printDigest prints the digest of the record with a key in a set.
func (o *keyOptions) printDigest(set, key string, stdout io.Writer) error {
	value, err := o.parseKey(key)
	if err != nil {
		return err
	}
	digest := recordDigest(set, value)
	text := digest.String()
	if o.hex {
		text = hex.EncodeToString(digest[:])
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}

// parseKey returns the key as it is hashed: its particle type, then its bytes.
func (o *keyOptions) parseKey(key string) ([]byte, error) {
	switch {
	case o.integer && o.bytes:
		return nil, cli.Usagef("-int and -bytes exclude each other")
	case o.integer:
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return nil, cli.Usagef("-int: KEY %q is not a 64-bit integer", key)
		}
		return binary.BigEndian.AppendUint64([]byte{byte(change.KindInteger)}, uint64(n)), nil
	case o.bytes:
		b, err := hex.DecodeString(key)
		if err != nil {
			return nil, cli.Usagef("-bytes: KEY %q is not hexadecimal: %w", key, err)
		}
		return append([]byte{byte(change.KindBlob)}, b...), nil
	}
	return append([]byte{byte(change.KindString)}, key...), nil
}

// recordDigest returns the digest of the record with a key, which is a particle type
// and bytes, in a set.
func recordDigest(set string, key []byte) (d change.Digest) {
	h := ripemd160.New() //nolint:gosec // as above
	h.Write([]byte(set))
	h.Write(key)
	h.Sum(d[:0])
	return d
}
