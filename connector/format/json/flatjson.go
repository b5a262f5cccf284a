package json

import (
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// Flat is the format in which the bins are members beside one member of
// metadata:
//
//	{"metadata":{"namespace":"ns","set":"set","userKey":10,"digest":"ZGlnZXN0…","msg":"write",
//	 "gen":1,"lut":1734388704784,"exp":0},"age":27}
//
// Metadata that a change does not have is left out. Values are written as in
// [Format], without their types; a deleted bin is null. A bin that is named like the
// metadata is refused; a MetadataKey of 16 bytes or more excludes that, since no
// bin name is as long.
type Flat struct {
	MetadataKey string // required

	StringifyMapKeys bool // as in JSON
}

// Name returns "flat-json".
func (Flat) Name() string { return "flat-json" }

// Append implements [format.Format].
func (f Flat) Append(dst []byte, c *change.Change) ([]byte, error) {
	start := len(dst)
	w := jsonWriter{format: f.Name(), stringify: f.StringifyMapKeys, dst: append(dst, '{')}
	w.name("metadata-key", f.MetadataKey)
	w.metadata(c)
	if !c.Op.IsDelete() {
		for i := range c.Bins {
			b := &c.Bins[i]
			if b.Name == f.MetadataKey {
				w.fail("bin "+b.Name, "is named like the metadata; set another metadata-key")
			}
			w.dst = append(w.dst, ',')
			w.member(b)
		}
	}
	w.dst = append(w.dst, '}', '\n')
	if w.err != nil {
		return w.dst[:start], w.err
	}
	return w.dst, nil
}

// Seal implements [format.Format].
func (Flat) Seal(records []byte, n int) ([]byte, string) { return sealLines(records, n) }

// member writes a bin as a member of an object.
func (w *jsonWriter) member(b *change.Bin) {
	w.name("bin name", b.Name)
	w.dst = append(w.dst, ':')
	w.bin(b)
}

func (w *jsonWriter) metadata(c *change.Change) {
	w.dst = append(w.dst, `:{"namespace":`...)
	w.name("namespace", c.Namespace)
	if c.Set != "" {
		w.dst = append(w.dst, `,"set":`...)
		w.name("set", c.Set)
	}
	if c.Key.Kind() != change.KindNil {
		w.dst = append(w.dst, `,"userKey":`...)
		w.value("user key", c.Key, nil)
	}
	w.dst = appendDigest(append(w.dst, `,"digest":`...), c.Digest)
	w.dst = append(w.dst, `,"msg":"`...)
	w.dst = append(w.dst, format.Msg(c.Op)...)
	w.dst = append(w.dst, '"')
	w.dst = appendKnown(w.dst, `,"gen":`, int64(c.Generation), 0)
	w.dst = appendKnown(w.dst, `,"lut":`, c.LUT, 0)
	if c.Op.IsDelete() {
		w.dst = strconv.AppendBool(append(w.dst, `,"durable":`...), c.Op == change.DurableDelete)
	} else {
		w.dst = appendKnown(w.dst, `,"exp":`, c.Expiry, change.ExpiryUnknown)
	}
	w.dst = append(w.dst, '}')
}
