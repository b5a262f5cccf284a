package commands

import (
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/xdr"
)

// keyOptions are the flags of digest.
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
	digest, _ := xdr.Digest(set, value) // what parseKey returns is a user key
	text := digest.String()
	if o.hex {
		text = hex.EncodeToString(digest[:])
	}
	_, err = fmt.Fprintln(stdout, text)
	return err
}

// parseKey returns the user key that the flags say KEY is.
func (o *keyOptions) parseKey(key string) (change.Value, error) {
	switch {
	case o.integer && o.bytes:
		return change.Value{}, cli.Usagef("-int and -bytes exclude each other")
	case o.integer:
		n, err := strconv.ParseInt(key, 10, 64)
		if err != nil {
			return change.Value{}, cli.Usagef("-int: KEY %q is not a 64-bit integer", key)
		}
		return change.IntegerValue(n), nil
	case o.bytes:
		b, err := hex.DecodeString(key)
		if err != nil {
			return change.Value{}, cli.Usagef("-bytes: KEY %q is not hexadecimal: %w", key, err)
		}
		return change.BytesValue(change.KindBlob, b), nil
	}
	return change.StringValue([]byte(key)), nil
}
