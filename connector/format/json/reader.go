package json

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
)

// reader reads a change from one JSON object whose syntax was checked.
type reader struct {
	object      []byte
	at          int // offset of object in the request body
	metadataKey string
	bins        binsMode
	comparer    *binComparer // for compareBins
	names       *change.Names
	toDigest    func(set string, key change.Value) (change.Digest, bool) // format.Options.Digest
}

// binsMode says what a reader does with the bins.
type binsMode uint8

const (
	skipBins    binsMode = iota
	compareBins          // only look for two of one name
	readBins
)

// metadata returns the metadata of flat JSON, or nil if the object is not flat JSON.
func (r *reader) metadata() []byte {
	if r.metadataKey == "" {
		return nil
	}
	for members := newCursor(r.object); ; {
		name, value, ok := members.member()
		if !ok {
			return nil
		}
		if value[0] == '{' && isString(name, r.metadataKey) {
			return value
		}
	}
}

// flat reads the object as [Flat], and returns an error if it is [Format] as well.
func (r *reader) flat(metadata []byte, c *change.Change) error {
	if err := r.flatJSON(metadata, c); err != nil {
		return err
	}
	if r.isJSONToo() {
		return r.errorAt(r.object, `both JSON and flat JSON: it has the members "msg" and "key", and metadata in %q`, r.metadataKey)
	}
	return nil
}

// isJSONToo reports whether the object, which is flat JSON, is complete as JSON too.
func (r *reader) isJSONToo() bool {
	if !bytes.Contains(r.object, []byte(`"key"`)) && !bytes.Contains(r.object, []byte(`\u`)) {
		return false
	}
	var c change.Change
	metadata := reader{object: r.object, at: r.at, names: r.names}
	return metadata.json(&c) == nil
}

// metaMembers are members that JSON and flat JSON have in common.
type metaMembers struct {
	msg       []byte
	durable   bool
	hasExp    bool
	hasDigest bool
}

// json reads the object as [Format].
func (r *reader) json(c *change.Change) error {
	var h metaMembers
	var key, bins []byte
	members := newCursor(r.object)
	for {
		name, value, ok := members.member()
		if !ok {
			break
		}
		switch {
		case isString(name, "key"):
			key = value
		case isString(name, "bins"):
			bins = value
		default:
			if err := r.member(&h, name, value, c); err != nil {
				return err
			}
		}
	}
	if key == nil {
		return r.unknownFormat()
	}
	if err := r.key(key, c); err != nil {
		return err
	}
	if err := r.operation(&h, c); err != nil {
		return err
	}
	switch {
	case bins == nil, c.Op.IsDelete():
	case r.bins == readBins:
		return r.typedBins(bins, c)
	case r.bins == compareBins:
		if name := r.comparer.duplicate(bins); name != nil {
			return format.DuplicateBin(r.offsetOf(name), string(unquote(name)))
		}
	}
	return nil
}

// flatJSON reads the object as [Flat].
func (r *reader) flatJSON(metadata []byte, c *change.Change) error {
	var h metaMembers
	members := newCursor(metadata)
	for {
		name, value, ok := members.member()
		if !ok {
			break
		}
		var err error
		switch {
		case isString(name, "namespace"):
			c.Namespace, err = r.text("namespace", value, change.SlotNamespace)
		case isString(name, "set"):
			c.Set, err = r.text("set", value, change.SlotSet)
		case isString(name, "digest"):
			if h.hasDigest = !r.lacksDigest(value); h.hasDigest {
				err = r.digest(value, c)
			}
		case isString(name, "userKey"):
			c.Key, err = r.userKey(value)
		default:
			err = r.member(&h, name, value, c)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case c.Namespace == "", !h.hasDigest && r.toDigest == nil:
		return r.errorAt(metadata, `the metadata needs "namespace" and "digest"`)
	case !h.hasDigest:
		if err := r.computeDigest(metadata, c); err != nil {
			return err
		}
	}
	if err := r.operation(&h, c); err != nil {
		return err
	}
	if r.bins != readBins || c.Op.IsDelete() {
		return nil
	}
	return r.flatBins(metadata, c)
}

// member reads a member that JSON has at the top and flat JSON in its metadata.
// Unknown members are ignored: they may come from a newer sender.
func (r *reader) member(h *metaMembers, name, value []byte, c *change.Change) error {
	switch {
	case isString(name, "msg"):
		h.msg = value
	case isString(name, "durable"):
		if h.durable = string(value) == "true"; !h.durable && string(value) != "false" && string(value) != "null" {
			return r.errorAt(value, `"durable" is neither true nor false`)
		}
	case isString(name, "gen"):
		gen, err := r.number("gen", value, 0)
		c.Generation = uint32(gen)
		if err == nil && gen != int64(c.Generation) {
			return r.errorAt(value, `"gen" is not a generation`)
		}
		return err
	case isString(name, "lut"):
		var err error
		c.LUT, err = r.number("lut", value, 0)
		return err
	case isString(name, "exp"):
		exp, err := r.number("exp", value, change.ExpiryUnknown)
		if h.hasExp = string(value) != "null"; h.hasExp {
			exp = format.ExpiryOf(exp)
		}
		c.Expiry = exp
		return err
	}
	return nil
}

// operation sets the operation, and the expiry that depends on it.
func (r *reader) operation(h *metaMembers, c *change.Change) error {
	switch {
	case h.msg == nil:
		return r.errorAt(r.object, `missing member "msg": want "write" or "delete"`)
	case isString(h.msg, "write"):
		if !h.hasExp {
			c.Expiry = change.ExpiryUnknown
		}
	case isString(h.msg, "delete"):
		c.Op, c.Expiry = change.Delete, 0
		if h.durable {
			c.Op = change.DurableDelete
		}
	default:
		return r.errorAt(h.msg, `"msg" is neither "write" nor "delete"`)
	}
	return nil
}

// key reads [namespace, set, digest, user key].
func (r *reader) key(value []byte, c *change.Change) error {
	if value[0] != '[' {
		return r.errorAt(value, `"key" is not an array`)
	}
	var parts [4][]byte
	n := 0
	for elements := newCursor(value); ; n++ {
		e, ok := elements.element()
		if !ok {
			break
		}
		parts[min(n, len(parts)-1)] = e
	}
	if n != len(parts) {
		return r.errorAt(value, `"key" has %d elements, not namespace, set, digest and user key`, n)
	}
	var err error
	if c.Namespace, err = r.text("namespace", parts[0], change.SlotNamespace); err != nil {
		return err
	}
	if c.Namespace == "" {
		return r.errorAt(parts[0], "the namespace is empty")
	}
	if c.Set, err = r.text("set", parts[1], change.SlotSet); err != nil {
		return err
	}
	lacksDigest := r.lacksDigest(parts[2])
	if !lacksDigest {
		if err = r.digest(parts[2], c); err != nil {
			return err
		}
	}
	if c.Key, err = r.userKey(parts[3]); err != nil || !lacksDigest {
		return err
	}
	return r.computeDigest(parts[3], c)
}

// text reads a string or null. The slot is for change.Names.
func (r *reader) text(what string, value []byte, slot int) (string, error) {
	switch {
	case value[0] == '"':
		return r.names.Of(unquote(value), slot), nil
	case string(value) == "null":
		return "", nil
	}
	return "", r.errorAt(value, "the %s is not a string", what)
}

func (r *reader) digest(value []byte, c *change.Change) error {
	var decoded [32]byte
	var text []byte
	if value[0] == '"' {
		text = unquote(value) // some senders escape "/" or "="
	}
	if len(text) != base64.StdEncoding.EncodedLen(len(c.Digest)) {
		return r.errorAt(value, "the digest is not %d bytes in Base64", len(c.Digest))
	}
	n, err := base64.StdEncoding.Decode(decoded[:], text)
	if err != nil || n != len(c.Digest) {
		return r.errorAt(value, "the digest is not %d bytes in Base64", len(c.Digest))
	}
	copy(c.Digest[:], decoded[:])
	return nil
}

// lacksDigest reports whether value says that the digest is to be computed.
func (r *reader) lacksDigest(value []byte) bool { return r.toDigest != nil && string(value) == "null" }

// computeDigest sets the digest that follows from the set and the user key. An error is
// about part.
func (r *reader) computeDigest(part []byte, c *change.Change) error {
	d, ok := r.toDigest(c.Set, c.Key)
	if !ok {
		return r.errorAt(part, "neither a digest nor a user key that a digest can be computed from")
	}
	c.Digest = d
	return nil
}

func (r *reader) userKey(value []byte) (change.Value, error) {
	if !slices.Contains([]byte(`"n-0123456789`), value[0]) {
		return change.Value{}, r.errorAt(value, "the user key is neither a string nor a number")
	}
	return r.untyped("the user key", value, change.Unordered)
}

// number reads an integer, and null as unknown.
func (r *reader) number(what string, value []byte, unknown int64) (int64, error) {
	if string(value) == "null" {
		return unknown, nil
	}
	v, err := parseNumber(value)
	if err != nil || v.Kind() != change.KindInteger {
		return unknown, r.errorAt(value, "%q is not a 64-bit integer", what)
	}
	return v.Integer(), nil
}

// typedBins reads the member "bins" of [Format].
func (r *reader) typedBins(bins []byte, c *change.Change) error {
	if bins[0] != '[' {
		return r.errorAt(bins, `"bins" is not an array`)
	}
	for elements := newCursor(bins); ; {
		e, ok := elements.element()
		if !ok {
			return nil
		}
		if e[0] != '{' {
			return r.errorAt(e, "a bin is not an object")
		}
		b, err := r.typedBin(e, len(c.Bins))
		if err != nil {
			return err
		}
		c.Bins = append(c.Bins, b)
	}
}

func (r *reader) typedBin(object []byte, i int) (change.Bin, error) {
	var name, label, value []byte
	order := change.Unordered
	for members := newCursor(object); ; {
		n, v, ok := members.member()
		if !ok {
			break
		}
		switch {
		case isString(n, "name"):
			name = v
		case isString(n, "type"):
			label = v
		case isString(n, "value"):
			value = v
		case isString(n, "ordered"), isString(n, "order"):
			o, err := r.order(n, v)
			if err != nil {
				return change.Bin{}, err
			}
			order = max(order, o)
		}
	}
	if name == nil || name[0] != '"' || value == nil || label == nil || label[0] != '"' {
		return change.Bin{}, r.errorAt(object, `a bin needs "name" and "type", which are strings, and "value"`)
	}
	v, err := r.typed(label, value, order)
	if err != nil {
		return change.Bin{}, err
	}
	return change.Bin{Name: r.names.Of(unquote(name), change.SlotBins+i), Value: v}, nil
}

// order reads the member "ordered" of a list, or "order" of a map.
func (r *reader) order(name, value []byte) (change.Order, error) {
	ofList := isString(name, "ordered")
	switch {
	case string(value) == "null", ofList && string(value) == "false":
		return change.Unordered, nil
	case ofList && string(value) == "true":
		return change.Ordered, nil
	case ofList:
		return change.Unordered, r.errorAt(value, `"ordered" is neither true nor false`)
	case isString(value, "key"):
		return change.KeyOrdered, nil
	case isString(value, "key-value"):
		return change.KeyValueOrdered, nil
	}
	return change.Unordered, r.errorAt(value, `"order" is neither "key" nor "key-value"`)
}

// typed reads the value of a bin with the member "type".
func (r *reader) typed(label, value []byte, order change.Order) (change.Value, error) {
	switch string(unquote(label)) {
	case "blob":
		return r.base64(change.KindBlob, value)
	case "hll":
		return r.base64(change.KindHLL, value)
	case "float":
		return r.float(value)
	case "list":
		return r.expect(value[0] == '[', value, order)
	case "map":
		return r.expect(value[0] == '{', value, order)
	case "str":
		return r.expect(value[0] == '"', value, order)
	case "bool":
		return r.expect(value[0] == 't' || value[0] == 'f', value, order)
	case "null":
		return r.expect(value[0] == 'n', value, order)
	case "int":
		v, err := r.untyped("a bin", value, order)
		if err == nil && v.Kind() != change.KindInteger && v.Kind() != change.KindUnsigned {
			return r.expect(false, value, order)
		}
		return v, err
	case "geojson":
		if value[0] == '{' {
			return change.GeoJSONValue(value[:len(value):len(value)]), nil
		}
		return r.expect(false, value, order)
	}
	return change.Value{}, r.errorAt(label, "the bin's type is none of str, int, float, bool, blob, list, map, geojson, hll, null")
}

// expect reads the value if it fits its bin's type.
func (r *reader) expect(fits bool, value []byte, order change.Order) (change.Value, error) {
	if !fits {
		return change.Value{}, r.errorAt(value, "the value does not fit its bin's type")
	}
	return r.untyped("a bin", value, order)
}

func (r *reader) base64(kind change.Kind, value []byte) (change.Value, error) {
	if value[0] != '"' {
		return r.expect(false, value, change.Unordered)
	}
	b, err := base64.StdEncoding.AppendDecode(nil, unquote(value))
	if err != nil {
		return change.Value{}, r.errorAt(value, "the value is not Base64")
	}
	return change.BytesValue(kind, b), nil
}

// float reads a double, which may be written as an integer, or one of the three
// strings for values that JSON numbers cannot express.
func (r *reader) float(value []byte) (change.Value, error) {
	text := string(value)
	if value[0] == '"' {
		switch text = string(unquote(value)); text {
		case "NaN", "Infinity", "-Infinity":
		default:
			return change.Value{}, r.errorAt(value, "the value does not fit its bin's type")
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return change.Value{}, r.errorAt(value, "the value is not a double")
	}
	return change.DoubleValue(f), nil
}

// flatBins reads every member of the object except the metadata.
func (r *reader) flatBins(metadata []byte, c *change.Change) error {
	for members := newCursor(r.object); ; {
		name, value, ok := members.member()
		if !ok {
			return nil
		}
		if &value[0] == &metadata[0] {
			continue
		}
		v, err := r.untyped("a bin", value, change.Unordered)
		if err != nil {
			return err
		}
		c.Bins = append(c.Bins, change.Bin{Name: r.names.Of(unquote(name), change.SlotBins+len(c.Bins)), Value: v})
	}
}

// untyped reads a value whose type follows from its syntax. A list or map gets the
// given order.
func (r *reader) untyped(what string, value []byte, order change.Order) (change.Value, error) {
	kind := change.KindMap
	switch value[0] {
	case '[':
		kind = change.KindList
		fallthrough
	case '{':
		var p change.Packer
		if _, err := pack(&p, value, order, 1); err != nil {
			return change.Value{}, r.errorAt(value, "%s: %v", what, err)
		}
		v, err := p.Value(kind)
		if err != nil {
			return change.Value{}, r.errorAt(value, "%s: %v", what, err)
		}
		return v, nil
	}
	v, err := parseScalar(value)
	if err != nil {
		return change.Value{}, r.errorAt(value, "%s: %v", what, err)
	}
	return v, nil
}

// unknownFormat returns the error for an object that is neither JSON nor flat JSON. It
// names the members that hold objects, because the metadata may be one of them.
func (r *reader) unknownFormat() error {
	var names []string
	hint := ";"
	for members := newCursor(r.object); len(names) < maxListedNames; {
		name, value, ok := members.member()
		if !ok {
			break
		}
		if value[0] != '{' {
			continue
		}
		text := string(unquote(name))
		if quoted := strconv.Quote(text); hint == ";" && len(text) <= maxNameLength && quoted == `"`+text+`"` && isMetadata(value) {
			hint = fmt.Sprintf("; did you mean METADATA_KEY=%s?", text)
		}
		names = append(names, strconv.Quote(truncate(text)))
	}
	seen := ""
	if len(names) > 0 {
		seen = hint + " members with objects: " + strings.Join(names, ", ")
	}
	return r.errorAt(r.object, `neither JSON (no member "key") nor flat JSON (no object %q)%s`, r.metadataKey, seen)
}

// How many names, and how long ones, the error for an object without metadata lists.
// Names are not data, but a few are enough.
const (
	maxListedNames = 8
	maxNameLength  = 32 // bytes
)

// isMetadata reports whether an object looks like the metadata of flat JSON.
func isMetadata(object []byte) bool {
	found := 0
	for members := newCursor(object); ; {
		name, _, ok := members.member()
		if !ok {
			return found == 2
		}
		if isString(name, "namespace") || isString(name, "digest") {
			found++
		}
	}
}

// truncate cuts a long name.
func truncate(name string) string {
	if len(name) <= maxNameLength {
		return name
	}
	end := maxNameLength
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return name[:end]
}

// errorAt returns an error about part.
func (r *reader) errorAt(part []byte, detail string, args ...any) error {
	return format.ErrorAt(r.offsetOf(part), detail, args...)
}

// offsetOf returns the offset of part, which follows from its capacity: it is a subslice
// of the object that still has all of the object's capacity.
func (r *reader) offsetOf(part []byte) int { return r.at + cap(r.object) - cap(part) }

// pack adds the valid JSON value at the start of b to p, and returns what follows it. It
// reads each byte once, however deep values nest.
func pack(p *change.Packer, b []byte, order change.Order, depth int) ([]byte, error) {
	kind := change.KindList
	switch b[0] {
	case '{':
		kind = change.KindMap
	case '[':
	default:
		end := valueEnd(b)
		v, err := parseScalar(b[:end])
		p.Add(v)
		return b[end:], err
	}
	if depth > change.MaxDepth {
		return nil, format.ErrDepth
	}
	p.Open(kind, order)
	for b = skipSeparators(b[1:]); b[0] != ']' && b[0] != '}'; b = skipSeparators(b) {
		if kind == change.KindMap {
			end := stringEnd(b)
			p.Add(change.StringValue(unquote(b[:end])))
			b = skipSeparators(b[end:])
		}
		var err error
		if b, err = pack(p, b, change.Unordered, depth+1); err != nil {
			return nil, err
		}
	}
	p.Close()
	return b[1:], nil
}

// parseScalar reads a valid JSON value that is neither object nor array.
func parseScalar(value []byte) (change.Value, error) {
	switch value[0] {
	case 'n':
		return change.Value{}, nil
	case 't', 'f':
		return change.BoolValue(value[0] == 't'), nil
	case '"':
		return change.StringValue(unquote(value)), nil
	}
	return parseNumber(value)
}

// parseNumber reads a valid JSON number. One without fraction and exponent is an
// integer, and is never converted to a double.
func parseNumber(value []byte) (change.Value, error) {
	text := string(value)
	if strings.ContainsAny(text, ".eE") {
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(f, 0) {
			return change.Value{}, errDouble
		}
		return change.DoubleValue(f), nil
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return change.IntegerValue(i), nil
	}
	u, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return change.Value{}, errInteger
	}
	return change.UnsignedValue(u), nil
}

var (
	errInteger = errors.New("an integer of more than 64 bits")
	errDouble  = errors.New("a number beyond the range of doubles")
)
