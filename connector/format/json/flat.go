package json

import (
	"github.com/aerosink/aerosink/connector/change"
)

// Flat is the format in which the bins are members beside one member of
// metadata:
//
//	{"metadata":{"namespace":"ns","set":"set","userKey":10,"digest":"ZGlnZXN0…","msg":"write",
//	 "gen":1,"lut":1734388704784,"exp":0},"age":27}
//
// Metadata that a change does not have is left out. Values are written as in
// [Format], without their types; a deleted bin is null. A bin with the name of the
// metadata member is an error; a MetadataKey of 16 bytes or more rules that out, because
// bin names are shorter.
type Flat struct {
	MetadataKey string // required

	StringifyMapKeys bool // as in Format
}

// FlatName is the name of the format [Flat].
const FlatName = "flat-json"

// Name returns "flat-json".
func (Flat) Name() string { return FlatName }

// Append implements [format.Format].
func (f Flat) Append(dst []byte, c *change.Change) ([]byte, error) {
	start := len(dst)
	w := writer{format: f.Name(), stringify: f.StringifyMapKeys, dst: append(dst, '{')}
	w.name("metadata-key", f.MetadataKey)
	w.metadata(c)
	if !c.Op.IsDelete() {
		for i := range c.Bins {
			b := &c.Bins[i]
			if b.Name == f.MetadataKey {
				w.fail("bin "+b.Name, "has the name of the metadata; set another metadata-key")
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
