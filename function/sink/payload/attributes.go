package payload

import (
	"encoding/base64"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
)

// Attribute is a piece of metadata of a change, as text.
type Attribute struct {
	Name, Value string
	Number      bool // the value is an integer
}

// AppendAttributes appends the metadata of a change, as far as it is known, and the format of
// its data: format, namespace, set, op, digest (Base64), partition, generation, lut (Unix
// milliseconds) and expiry (Unix seconds, 0 is never). They are those of Pub/Sub messages.
func AppendAttributes(dst []Attribute, c *change.Change, format string) []Attribute {
	text := func(name, value string) {
		if value != "" {
			dst = append(dst, Attribute{Name: name, Value: value})
		}
	}
	number := func(name string, value int64) {
		dst = append(dst, Attribute{name, strconv.FormatInt(value, 10), true})
	}
	text("format", format)
	text("namespace", c.Namespace)
	text("set", c.Set)
	text("op", c.Op.String())
	text("digest", base64.StdEncoding.EncodeToString(c.Digest[:]))
	number("partition", int64(c.Digest.Partition()))
	if c.Generation > 0 {
		number("generation", int64(c.Generation))
	}
	if c.LUT > 0 {
		number("lut", c.LUT)
	}
	if !c.Op.IsDelete() && c.Expiry != change.ExpiryUnknown {
		number("expiry", c.Expiry)
	}
	return dst
}
