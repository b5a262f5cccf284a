package avro

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// metadata is the metadata of a change, in the order of metadataNames. What the change
// does not have is nil.
type metadata [9]change.Value

var metadataNames = [...]string{"msg", "namespace", "set", "userKey", "digest", "gen", "exp", "lut", "durable"}

// The indexes of metadataNames.
const (
	metaMsg = iota
	metaNamespace
	metaSet
	metaUserKey
	metaDigest
	metaGen
	metaExp
	metaLUT
	metaDurable
)

// metadataIndex returns the index of a name in metadata, or -1.
func metadataIndex(name string) int { return slices.Index(metadataNames[:], name) }

// metadataOf returns the metadata of c.
func metadataOf(c *change.Change) metadata {
	m := metadata{
		metaMsg:       change.StringValue([]byte(format.Msg(c.Op))),
		metaNamespace: change.StringValue([]byte(c.Namespace)),
		metaUserKey:   c.Key,
		metaDigest:    change.BytesValue(change.KindBlob, c.Digest[:]),
		metaGen:       integerUnless(int64(c.Generation), 0),
		metaLUT:       integerUnless(c.LUT, 0),
	}
	if c.Set != "" {
		m[metaSet] = change.StringValue([]byte(c.Set))
	}
	if c.Op.IsDelete() {
		m[metaDurable] = change.BoolValue(c.Op == change.DurableDelete)
	} else {
		m[metaExp] = integerUnless(c.Expiry, change.ExpiryUnknown)
	}
	return m
}

func integerUnless(n, unknown int64) (v change.Value) {
	if n != unknown {
		v = change.IntegerValue(n)
	}
	return v
}

// fill sets the metadata of c. Its error says which part is invalid.
func (m *metadata) fill(c *change.Change, names *change.Names) error {
	namespace, set := m[metaNamespace], m[metaSet]
	switch {
	case namespace.Kind() != change.KindString || len(namespace.Bytes()) == 0:
		return errors.New("the namespace is not a string, or is empty")
	case !hasKind(set, change.KindString, change.KindNil):
		return errors.New("the set is not a string")
	case !format.IsUserKey(m[metaUserKey].Kind()):
		return errors.New("the user key is neither string, number nor bytes")
	case !m.digest(c):
		return fmt.Errorf("the digest is neither %[1]d bytes nor %[1]d bytes in Base64", len(c.Digest))
	}
	c.Namespace = names.Of(namespace.Bytes(), change.SlotNamespace)
	c.Set = names.Of(set.Bytes(), change.SlotSet)
	c.Key = m[metaUserKey]
	for _, i := range []int{metaGen, metaExp, metaLUT} {
		if !hasKind(m[i], change.KindInteger, change.KindNil) {
			return fmt.Errorf("%q is not an integer", metadataNames[i])
		}
	}
	gen := m[metaGen].Integer()
	if c.Generation = uint32(gen); int64(c.Generation) != gen {
		return errors.New(`"gen" is not a generation`)
	}
	c.LUT = m[metaLUT].Integer()
	return m.operation(c)
}

func hasKind(v change.Value, kinds ...change.Kind) bool { return slices.Contains(kinds, v.Kind()) }

func (m *metadata) operation(c *change.Change) error {
	msg := m[metaMsg]
	switch text := string(msg.Bytes()); {
	case msg.Kind() == change.KindString && text == format.Msg(change.Write):
		if c.Expiry = change.ExpiryUnknown; m[metaExp].Kind() != change.KindNil {
			c.Expiry = format.ExpiryOf(m[metaExp].Integer())
		}
	case msg.Kind() == change.KindString && text == format.Msg(change.Delete):
		if !hasKind(m[metaDurable], change.KindBool, change.KindNil) {
			return errors.New(`"durable" is not a boolean`)
		}
		c.Op = change.Delete
		if m[metaDurable].Bool() {
			c.Op = change.DurableDelete
		}
	default:
		return errors.New(`"msg" is neither "write" nor "delete"`)
	}
	return nil
}

// digest reads the digest, which is bytes or a Base64 string.
func (m *metadata) digest(c *change.Change) bool {
	b := m[metaDigest].Bytes()
	switch m[metaDigest].Kind() {
	case change.KindBlob:
	case change.KindString:
		var err error
		if b, err = base64.StdEncoding.AppendDecode(nil, b); err != nil {
			return false
		}
	default:
		return false
	}
	return len(b) == len(c.Digest) && copy(c.Digest[:], b) > 0
}
