package json

import (
	"encoding/base64"
	stdjson "encoding/json"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// writer appends the values of one change. It keeps the first error and goes on, so
// that callers need not check each step.
type writer struct {
	format    string
	stringify bool
	bigQuery  bool // write what BigQuery takes: see [AppendBins]
	dst       []byte
	err       error
}

// metadata writes the metadata of flat JSON.
func (w *writer) metadata(c *change.Change) {
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

// bins writes the member "bins", in which each bin has its type.
func (w *writer) bins(bins []change.Bin) {
	w.dst = append(w.dst, `,"bins":[`...)
	for i := range bins {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		b := &bins[i]
		w.dst = append(w.dst, `{"name":`...)
		w.name("bin name", b.Name)
		w.dst = append(w.dst, `,"type":"`...)
		w.dst = append(w.dst, typeLabel(b.Value.Kind())...)
		w.dst = append(w.dst, `","value":`...)
		w.bin(b)
		w.dst = appendOrder(w.dst, b.Value)
		w.dst = append(w.dst, '}')
	}
	w.dst = append(w.dst, ']')
}

// member writes a bin as a member of an object.
func (w *writer) member(b *change.Bin) {
	w.name("bin name", b.Name)
	w.dst = append(w.dst, ':')
	w.bin(b)
}

// name writes a string that must not change: bytes that are not UTF-8 are an error.
func (w *writer) name(where, s string) {
	for i := range len(s) {
		if !literal[s[i]] {
			if !utf8.ValidString(s) {
				w.fail(where, "is not UTF-8")
			}
			w.dst = AppendString(w.dst, s)
			return
		}
	}
	w.dst = append(append(append(w.dst, '"'), s...), '"')
}

func (w *writer) bin(b *change.Bin) {
	if !b.Value.Kind().IsCollection() {
		w.value(b.Name, b.Value, nil)
		return
	}
	r := b.Value.Elements()
	w.value(b.Name, b.Value, &r)
}

// value writes v; the elements of a collection come from r.
func (w *writer) value(where string, v change.Value, r *change.Reader) {
	switch v.Kind() {
	case change.KindNil:
		w.dst = append(w.dst, "null"...)
	case change.KindInteger:
		w.dst = strconv.AppendInt(w.dst, v.Integer(), 10)
	case change.KindUnsigned:
		w.dst = strconv.AppendUint(w.dst, v.Unsigned(), 10)
	case change.KindDouble:
		w.double(v.Double())
	case change.KindBool:
		w.dst = strconv.AppendBool(w.dst, v.Bool())
	case change.KindString:
		w.dst = AppendString(w.dst, v.Bytes())
	case change.KindGeoJSON:
		w.geoJSON(where, v.Bytes())
	case change.KindList:
		w.list(where, v, r)
	case change.KindMap:
		w.object(where, v, r)
	default:
		w.dst = base64.StdEncoding.AppendEncode(append(w.dst, '"'), v.Bytes())
		w.dst = append(w.dst, '"')
	}
}

func (w *writer) double(d float64) {
	if w.bigQuery && !math.IsNaN(d) && !math.IsInf(d, 0) {
		w.dst = appendGrisu2(w.dst, d)
	} else {
		w.dst = appendDouble(w.dst, d)
	}
}

func (w *writer) list(where string, v change.Value, r *change.Reader) {
	w.dst = append(w.dst, '[')
	for i := range v.Len() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		w.value(where, r.Next(), r)
	}
	w.dst = append(w.dst, ']')
}

func (w *writer) object(where string, v change.Value, r *change.Reader) {
	begin := *r
	stringified := false
	w.dst = append(w.dst, '{')
	for i := range v.Len() {
		if i > 0 {
			w.dst = append(w.dst, ',')
		}
		key := r.Next()
		stringified = stringified || key.Kind() != change.KindString
		w.key(where, key, r)
		w.dst = append(w.dst, ':')
		w.value(where, r.Next(), r)
	}
	w.dst = append(w.dst, '}')
	if stringified && w.err == nil && !DistinctKeys(v.Len(), begin) {
		w.fail("bin "+where, "two map keys would become the same string")
	}
}

func (w *writer) key(where string, key change.Value, r *change.Reader) {
	switch key.Kind() {
	case change.KindString:
		if !utf8.Valid(key.Bytes()) {
			w.fail("bin "+where, "a map key is not UTF-8")
		}
	case change.KindInteger, change.KindUnsigned, change.KindDouble, change.KindBool, change.KindBlob:
		if !w.stringify {
			w.fail("bin "+where, "a map key is not a string; set stringify-map-keys")
		}
	default:
		w.fail("bin "+where, "a map key is of kind %s, which cannot become a string", key.Kind())
		r.Skip(key)
	}
	w.dst = appendKey(w.dst, key)
}

// geoJSON writes the text, which is JSON, on one line.
func (w *writer) geoJSON(where string, text []byte) {
	if !stdjson.Valid(text) || !utf8.Valid(text) {
		w.fail("bin "+where, "its GeoJSON is not JSON")
		return
	}
	if w.bigQuery {
		w.geometry(where, text)
		return
	}
	for _, c := range text {
		if c < ' ' { // in valid JSON, white space between tokens
			c = ' '
		}
		w.dst = append(w.dst, c)
	}
}

// geometry parses GeoJSON and writes its values. The text may have numbers of any length.
func (w *writer) geometry(where string, text []byte) {
	v, err := ParseValue(text, change.Unordered)
	if err != nil || v.Depth() > maxGeoJSONDepth {
		w.fail("bin "+where, "its GeoJSON nests deeper than %d, or has a number of more than 64 bits or a lone surrogate", maxGeoJSONDepth)
		return
	}
	r := v.Elements()
	w.value(where, v, &r)
}

// maxGeoJSONDepth is how deep GeoJSON may nest if it is parsed; geometry needs less.
const maxGeoJSONDepth = 16

func (w *writer) fail(where, detail string, args ...any) {
	if w.err == nil {
		w.err = format.AppendError(w.format, where, detail, args...)
	}
}

// DistinctKeys reports whether the n keys of the map in r remain different when they
// are converted to strings.
func DistinctKeys(n int, r change.Reader) bool {
	if n < 2 {
		return true
	}
	seen := make(map[string]bool, n)
	for range n {
		name := string(appendKey(nil, r.Next()))
		if seen[name] {
			return false
		}
		seen[name] = true
		r.Skip(r.Next())
	}
	return true
}

// KeyText returns a map key as a string, without quotes.
func KeyText(key change.Value) []byte { return unquote(appendKey(nil, key)) }

// appendKey appends a map key as a JSON string.
func appendKey(dst []byte, key change.Value) []byte {
	start := len(dst)
	dst = append(dst, '"')
	switch key.Kind() {
	case change.KindInteger:
		dst = strconv.AppendInt(dst, key.Integer(), 10)
	case change.KindUnsigned:
		dst = strconv.AppendUint(dst, key.Unsigned(), 10)
	case change.KindBool:
		dst = strconv.AppendBool(dst, key.Bool())
	case change.KindBlob:
		dst = base64.StdEncoding.AppendEncode(dst, key.Bytes())
	case change.KindDouble:
		if d := key.Double(); math.IsNaN(d) || math.IsInf(d, 0) {
			return appendDouble(dst[:start], d)
		}
		dst = appendDouble(dst, key.Double())
	default:
		return AppendString(dst[:start], key.Bytes())
	}
	return append(dst, '"')
}

// appendDouble appends d in the shortest form that reads back as the same double
// and does not look like an integer.
func appendDouble(dst []byte, d float64) []byte {
	switch {
	case math.IsNaN(d):
		return append(dst, `"NaN"`...)
	case math.IsInf(d, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(d, -1):
		return append(dst, `"-Infinity"`...)
	}
	if abs := math.Abs(d); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		return strconv.AppendFloat(dst, d, 'e', -1, 64)
	}
	dst = strconv.AppendFloat(dst, d, 'f', -1, 64)
	if d == math.Trunc(d) {
		dst = append(dst, ".0"...)
	}
	return dst
}

// AppendString appends s to dst as a JSON string. Bytes that are not UTF-8 become
// U+FFFD. s may lie in dst's own memory, before dst's end.
func AppendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); {
		if literal[s[i]] {
			i++
			continue
		}
		if s[i] < utf8.RuneSelf {
			dst = appendEscape(append(dst, s[from:i]...), s[i])
			i++
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && size == 1 {
			dst = append(append(dst, s[from:i]...), "\uFFFD"...)
			from = i + size
		}
		i += size
	}
	return append(append(dst, s[from:]...), '"')
}

// literal is true for the bytes that are written unchanged in a JSON string, whatever
// follows them.
var literal = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
