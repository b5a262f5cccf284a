package json

import (
	"encoding/base64"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// jsonReader makes a change of one JSON object whose syntax was checked.
type jsonReader struct {
	object      []byte
	at          int // offset of object in the request body
	metadataKey string
	bins        bool // read them too
	names       *change.Names
}

// fault is an error about part, which lies in the object and keeps its capacity.
func (r *jsonReader) fault(part []byte, detail string, args ...any) error {
	return format.ErrorAt(r.at+cap(r.object)-cap(part), detail, args...)
}

// header is what JSON and flat JSON both say of a change, under the same names.
type header struct {
	msg       []byte
	durable   bool
	hasExp    bool
	hasDigest bool
}

// json reads the object as [Format].
func (r *jsonReader) json(c *change.Change) error {
	var h header
	var key, bins []byte
	members := into(r.object)
	for {
		name, value, ok := members.member()
		if !ok {
			break
		}
		switch {
		case is(name, "key"):
			key = value
		case is(name, "bins"):
			bins = value
		default:
			if err := r.member(&h, name, value, c); err != nil {
				return err
			}
		}
	}
	if key == nil {
		return r.neither()
	}
	if err := r.key(key, c); err != nil {
		return err
	}
	if err := r.operation(&h, c); err != nil {
		return err
	}
	if bins == nil || !r.bins || c.Op.IsDelete() {
		return nil
	}
	return r.typedBins(bins, c)
}

// flatJSON reads the object as [Flat].
func (r *jsonReader) flatJSON(metadata []byte, c *change.Change) error {
	var h header
	members := into(metadata)
	for {
		name, value, ok := members.member()
		if !ok {
			break
		}
		var err error
		switch {
		case is(name, "namespace"):
			c.Namespace, err = r.text("namespace", value, format.SlotNamespace)
		case is(name, "set"):
			c.Set, err = r.text("set", value, format.SlotSet)
		case is(name, "digest"):
			h.hasDigest = true
			err = r.digest(value, c)
		case is(name, "userKey"):
			c.Key, err = r.userKey(value)
		default:
			err = r.member(&h, name, value, c)
		}
		if err != nil {
			return err
		}
	}
	if !h.hasDigest || c.Namespace == "" {
		return r.fault(metadata, `the metadata needs "namespace" and "digest"`)
	}
	if err := r.operation(&h, c); err != nil {
		return err
	}
	if !r.bins || c.Op.IsDelete() {
		return nil
	}
	return r.flatBins(metadata, c)
}

// member reads a member that JSON has at the top and flat JSON in its metadata.
// Others are passed over: a newer sender may know more.
func (r *jsonReader) member(h *header, name, value []byte, c *change.Change) error {
	switch {
	case is(name, "msg"):
		h.msg = value
	case is(name, "durable"):
		if h.durable = string(value) == "true"; !h.durable && string(value) != "false" && string(value) != "null" {
			return r.fault(value, `"durable" is neither true nor false`)
		}
	case is(name, "gen"):
		gen, err := r.number("gen", value, 0)
		c.Generation = uint32(gen)
		if err == nil && gen != int64(c.Generation) {
			return r.fault(value, `"gen" is not a generation`)
		}
		return err
	case is(name, "lut"):
		var err error
		c.LUT, err = r.number("lut", value, 0)
		return err
	case is(name, "exp"):
		exp, err := r.number("exp", value, change.ExpiryUnknown)
		if h.hasExp = string(value) != "null"; h.hasExp {
			exp = max(exp, 0) // -1 is another way to say never
		}
		c.Expiry = exp
		return err
	}
	return nil
}

func (r *jsonReader) operation(h *header, c *change.Change) error {
	switch {
	case h.msg == nil:
		return r.fault(r.object, `no member "msg" says whether it is a write or a delete`)
	case is(h.msg, "write"):
		if !h.hasExp {
			c.Expiry = change.ExpiryUnknown
		}
	case is(h.msg, "delete"):
		c.Op, c.Expiry = change.Delete, 0
		if h.durable {
			c.Op = change.DurableDelete
		}
	default:
		return r.fault(h.msg, `"msg" is neither "write" nor "delete"`)
	}
	return nil
}

// key reads [namespace, set, digest, user key].
func (r *jsonReader) key(value []byte, c *change.Change) error {
	if value[0] != '[' {
		return r.fault(value, `"key" is no array`)
	}
	var parts [4][]byte
	n := 0
	for elements := into(value); ; n++ {
		e, ok := elements.element()
		if !ok {
			break
		}
		parts[min(n, len(parts)-1)] = e
	}
	if n != len(parts) {
		return r.fault(value, `"key" has %d elements, not namespace, set, digest and user key`, n)
	}
	var err error
	if c.Namespace, err = r.text("namespace", parts[0], format.SlotNamespace); err != nil {
		return err
	}
	if c.Namespace == "" {
		return r.fault(parts[0], "the namespace is empty")
	}
	if c.Set, err = r.text("set", parts[1], format.SlotSet); err != nil {
		return err
	}
	if err = r.digest(parts[2], c); err != nil {
		return err
	}
	c.Key, err = r.userKey(parts[3])
	return err
}

// text reads a string or null; slot is for change.Names.
func (r *jsonReader) text(what string, value []byte, slot int) (string, error) {
	switch {
	case value[0] == '"':
		return r.names.Of(unquote(value), slot), nil
	case string(value) == "null":
		return "", nil
	}
	return "", r.fault(value, "the %s is no string", what)
}

func (r *jsonReader) digest(value []byte, c *change.Change) error {
	var decoded [32]byte
	var text []byte
	if value[0] == '"' {
		text = unquote(value) // some escape a slash, or a sign of equality
	}
	if len(text) != base64.StdEncoding.EncodedLen(len(c.Digest)) {
		return r.fault(value, "the digest is not %d bytes in Base64", len(c.Digest))
	}
	n, err := base64.StdEncoding.Decode(decoded[:], text)
	if err != nil || n != len(c.Digest) {
		return r.fault(value, "the digest is not %d bytes in Base64", len(c.Digest))
	}
	copy(c.Digest[:], decoded[:])
	return nil
}

func (r *jsonReader) userKey(value []byte) (change.Value, error) {
	if !slices.Contains([]byte(`"n-0123456789`), value[0]) {
		return change.Value{}, r.fault(value, "the user key is neither string nor number")
	}
	return r.untyped("the user key", value, change.Unordered)
}

// number reads an integer, or null as unknown.
func (r *jsonReader) number(what string, value []byte, unknown int64) (int64, error) {
	if string(value) == "null" {
		return unknown, nil
	}
	v, err := parseNumber(value)
	if err != nil || v.Kind() != change.KindInteger {
		return unknown, r.fault(value, "%q is no integer of 64 bits", what)
	}
	return v.Integer(), nil
}
