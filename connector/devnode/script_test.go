package devnode_test

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A script is a list of commands, one in a line, that are sent to a node one after the other:
//
//	msg 00.01.00 rec=a gen=3 ttl=100 write:x:int:5
//	batch 41.04 ; 0 0a rec=a 01.00.00 read:x ; 1 01 rec=b
//	wait 2
//
// The command msg is a message with info1, info2 and info3 in hexadecimal, and a fourth byte
// if it is not 0. Then follow, in any order:
//
//	rec=a              the digest of the record a of the script
//	ns=N set=S         "-" leaves the field out; the default is the set s in the namespace test
//	key=int:5          the user key
//	gen=N ttl=N        in the header
//	filter=JSON        an expression: a JSON array, in which the name of an operator may stand for its number
//	parts=1,2          partitions of a scan
//	behind=a,b         digests that a scan resumes behind
//	max=N rate=N       records, and records per second, of a scan
//	field=ID:HEX       any other field
//	OP:BIN:VALUE       an operation; the value may be missing
//
// A value is its type and its content, such as int:-1, dbl:0.5, str:joe, blob:00ff, nil, bool:01,
// or 20:00 for the bytes of any particle type. An asterisk and a number behind it repeat it.
//
// These change the bytes of a message, in this order, so that it is malformed:
//
//	nfields=N nops=N   other numbers in the header
//	size=N             another size of the header in its first byte
//	patch=N:HEX        other bytes at an offset
//	cut=N extra=HEX     bytes cut from the end, or added to it
//	proto=HEX          other bytes for the version and the type in front of the message
//
// The command batch is a message with field 41 or 42 and flags. Behind each semicolon stands a
// row: its index, its kind in hexadecimal, and what it consists of, as for msg. The encoder
// writes what the kind says is there. A count=N in front of the rows is another number of rows.
type script []string

// records are the records of a script: three in the partition 5, two in 6, and one in 4095.
// Their digests end with four bytes that differ from one script to the next.
var records = map[string]string{
	"a": "05107000aabbccddeeff00112233aaaa",
	"b": "05107000aabbccddeeff00112233bbbb",
	"c": "0540f000aabbccddeeff00112233cccc",
	"d": "06000000aabbccddeeff00112233dddd",
	"e": "06f0ff00aabbccddeeff00112233eeee",
	"f": "ffff8000aabbccddeeff00112233ffff",
}

// encoder makes messages of commands.
type encoder struct {
	salt [4]byte           // at the end of digests
	sets map[string]string // the names of the sets in the scripts, and those that are sent
}

func (e *encoder) digest(record string) ([]byte, error) {
	prefix, ok := records[record]
	if !ok {
		return nil, fmt.Errorf("unknown record %q", record)
	}
	b, err := hex.DecodeString(prefix)
	return append(b, e.salt[:]...), err
}

// record returns the name of the record with a digest.
func (e *encoder) record(digest []byte) (string, bool) {
	for name := range records {
		if d, err := e.digest(name); err == nil && string(d) == string(digest) {
			return name, true
		}
	}
	return "", false
}

// message is a message that is being built.
type message struct {
	info            [4]byte
	generation, ttl uint32
	digest          []byte
	fields, ops     [][]byte
	namespace, set  string

	index uint32 // of a row
	kind  byte

	count          *uint32 // of rows, if it is not their number
	nfields, nops  *uint32
	size           *uint32
	patches        []patch
	cut            int
	added          []byte
	proto          []byte
	transactionTTL uint32
}

type patch struct {
	at    int
	bytes []byte
}

// encode returns the bytes of a command.
func (e *encoder) encode(command string) ([]byte, error) {
	verb, rest, _ := strings.Cut(command, " ")
	var m message
	switch verb {
	case "msg":
		m = message{namespace: "test", set: "s"}
		if err := e.parse(&m, strings.Fields(rest)); err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
	case "batch":
		m = message{namespace: "-", set: "-", info: [4]byte{0x08}}
		head, rows, _ := strings.Cut(rest, " ; ")
		if err := e.parseBatch(&m, strings.Fields(head), strings.Split(rows, " ; ")); err != nil {
			return nil, fmt.Errorf("%s: %w", command, err)
		}
	default:
		return nil, fmt.Errorf("unknown command %q", verb)
	}
	return e.frame(&m), nil
}

func (e *encoder) parseBatch(m *message, head, rows []string) error {
	id, flags, _ := strings.Cut(head[0], ".")
	n, err := strconv.Atoi(id)
	if err != nil {
		return err
	}
	f, err := hex.DecodeString(flags)
	if err != nil {
		return err
	}
	if err := e.parse(m, head[1:]); err != nil {
		return err
	}
	count := uint32(len(rows))
	if m.count != nil {
		count = *m.count
	}
	field := append(binary.BigEndian.AppendUint32(nil, count), f...)
	for _, text := range rows {
		tokens := strings.Fields(text)
		row := message{namespace: "test", set: "s"}
		index, err := strconv.Atoi(tokens[0])
		if err != nil {
			return err
		}
		kind, err := hex.DecodeString(tokens[1])
		if err != nil {
			return err
		}
		row.index, row.kind = uint32(index), kind[0]
		if err := e.parse(&row, tokens[2:]); err != nil {
			return err
		}
		field = e.appendRow(field, &row)
	}
	m.fields = append(m.fields, appendField(nil, byte(n), field))
	return nil
}

// appendRow appends a row of a batch.
func (e *encoder) appendRow(b []byte, m *message) []byte {
	const repeat, info, generation, ttl, info4 = 1, 2, 4, 8, 16
	b = append(binary.BigEndian.AppendUint32(b, m.index), m.digest...)
	b = append(b, m.kind)
	if m.kind&repeat != 0 {
		return b
	}
	b = append(b, m.info[0])
	if m.kind&info != 0 {
		b = append(b, m.info[1], m.info[2])
	}
	if m.kind&info4 != 0 {
		b = append(b, m.info[3])
	}
	if m.kind&generation != 0 {
		b = binary.BigEndian.AppendUint16(b, uint16(m.generation))
	}
	if m.kind&ttl != 0 {
		b = binary.BigEndian.AppendUint32(b, m.ttl)
	}
	fields := e.allFields(m)
	b = binary.BigEndian.AppendUint16(b, uint16(or(m.nfields, len(fields))))
	b = binary.BigEndian.AppendUint16(b, uint16(or(m.nops, len(m.ops))))
	return append(append(b, slices.Concat(fields...)...), slices.Concat(m.ops...)...)
}

func or(n *uint32, otherwise int) uint32 {
	if n != nil {
		return *n
	}
	return uint32(otherwise)
}

// allFields returns the fields with the namespace and the set in front.
func (e *encoder) allFields(m *message) [][]byte {
	const namespace, set = 0, 1
	var fields [][]byte
	if m.namespace != "-" {
		fields = append(fields, appendField(nil, namespace, []byte(m.namespace)))
	}
	if m.set != "-" {
		name, ok := e.sets[m.set]
		if !ok {
			name = expand(m.set)
		}
		fields = append(fields, appendField(nil, set, []byte(name)))
	}
	return append(fields, m.fields...)
}

// frame returns the message with the header in front.
func (e *encoder) frame(m *message) []byte {
	const header, digestField = 22, 4
	if m.digest != nil {
		m.fields = append(m.fields, appendField(nil, digestField, m.digest))
	}
	fields := e.allFields(m)
	b := []byte{byte(or(m.size, header)), m.info[0], m.info[1], m.info[2], m.info[3], 0}
	b = binary.BigEndian.AppendUint32(b, m.generation)
	b = binary.BigEndian.AppendUint32(b, m.ttl)
	b = binary.BigEndian.AppendUint32(b, m.transactionTTL)
	b = binary.BigEndian.AppendUint16(b, uint16(or(m.nfields, len(fields))))
	b = binary.BigEndian.AppendUint16(b, uint16(or(m.nops, len(m.ops))))
	b = append(append(b, slices.Concat(fields...)...), slices.Concat(m.ops...)...)
	for _, p := range m.patches {
		if p.at < len(b) {
			copy(b[p.at:], p.bytes)
		}
	}
	b = append(b[:len(b)-min(m.cut, len(b))], m.added...)
	proto := binary.BigEndian.AppendUint64(nil, 2<<56|3<<48|uint64(len(b)))
	copy(proto, m.proto)
	return append(proto, b...)
}

func appendField(b []byte, id byte, data []byte) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(data)+1))
	return append(append(b, id), data...)
}

// parse reads the tokens of a message into m.
func (e *encoder) parse(m *message, tokens []string) error {
	for _, t := range tokens {
		if err := e.parseToken(m, t); err != nil {
			return fmt.Errorf("%s: %w", t, err)
		}
	}
	return nil
}

func (e *encoder) parseToken(m *message, token string) error {
	name, value, isSetting := strings.Cut(token, "=")
	op, _, isOp := strings.Cut(name, ":")
	if _, ok := opCodes[op]; ok || isOp {
		return e.parseOp(m, token)
	}
	if !isSetting {
		b, err := hex.DecodeString(strings.ReplaceAll(token, ".", ""))
		copy(m.info[:], b)
		return err
	}
	return e.set(m, name, value)
}

// set sets what a token NAME=VALUE says.
func (e *encoder) set(m *message, name, value string) (err error) {
	const key, rate, partitions, digests, maxRecords, filter = 2, 10, 11, 12, 13, 43
	field := func(id byte, data []byte) { m.fields = append(m.fields, appendField(nil, id, data)) }
	switch name {
	case "rec":
		m.digest, err = e.digest(value)
	case "digest":
		m.digest, err = hex.DecodeString(value)
	case "ns":
		m.namespace = value
	case "set":
		m.set = value
	case "key":
		var kind byte
		var b []byte
		kind, b, err = parseScriptValue(value)
		field(key, append([]byte{kind}, b...))
	case "filter":
		var b []byte
		b, err = packExpression(value)
		field(filter, b)
	case "parts":
		var b []byte
		for p := range strings.SplitSeq(value, ",") {
			n, err := strconv.Atoi(p)
			if err != nil {
				return err
			}
			b = binary.LittleEndian.AppendUint16(b, uint16(n))
		}
		field(partitions, b)
	case "behind":
		var b []byte
		for r := range strings.SplitSeq(value, ",") {
			d, err := e.digest(r)
			if err != nil {
				return err
			}
			b = append(b, d...)
		}
		field(digests, b)
	case "field":
		id, digits, _ := strings.Cut(value, ":")
		n, err := strconv.Atoi(id)
		if err != nil {
			return err
		}
		b, err := hex.DecodeString(expand(digits))
		field(byte(n), b)
		return err
	case "patch":
		at, digits, _ := strings.Cut(value, ":")
		n, err := strconv.Atoi(at)
		if err != nil {
			return err
		}
		b, err := hex.DecodeString(digits)
		m.patches = append(m.patches, patch{n, b})
		return err
	case "extra":
		m.added, err = hex.DecodeString(expand(value))
	case "proto":
		m.proto, err = hex.DecodeString(value)
	default:
		var n int64
		if n, err = strconv.ParseInt(value, 10, 64); err != nil {
			return err
		}
		u := uint32(n)
		switch name {
		case "gen":
			m.generation = u
		case "ttl":
			m.ttl = u
		case "max":
			field(maxRecords, binary.BigEndian.AppendUint64(nil, uint64(n)))
		case "rate":
			field(rate, binary.BigEndian.AppendUint32(nil, u))
		case "count":
			m.count = &u
		case "nfields":
			m.nfields = &u
		case "nops":
			m.nops = &u
		case "size":
			m.size = &u
		case "cut":
			m.cut = int(n)
		default:
			return fmt.Errorf("unknown setting %q", name)
		}
	}
	return err
}

var opCodes = map[string]byte{
	"read": 1, "write": 2, "cdt-read": 3, "cdt-write": 4, "add": 5, "exp-read": 7, "exp-write": 8, "append": 9,
	"prepend": 10, "touch": 11, "bits-read": 12, "bits-write": 13, "delete-all": 14, "hll-read": 15, "hll-write": 16,
	"op0": 0, "op6": 6, "op17": 17, "op99": 99,
}

// parseOp reads OP, OP:BIN or OP:BIN:VALUE. The value of an operation with an expression is
// JSON.
func (e *encoder) parseOp(m *message, token string) error {
	parts := strings.SplitN(token, ":", 3)
	code, ok := opCodes[parts[0]]
	if !ok {
		return fmt.Errorf("unknown operation %q", parts[0])
	}
	var bin string
	var kind byte
	var value []byte
	var err error
	if len(parts) > 1 {
		bin = expand(parts[1])
	}
	switch {
	case len(parts) < 3:
	case strings.HasPrefix(parts[0], "exp-"):
		const blob = 4
		kind = blob
		value, err = packExpression(parts[2])
	default:
		kind, value, err = parseScriptValue(parts[2])
	}
	const fixed = 4
	op := binary.BigEndian.AppendUint32(nil, uint32(fixed+len(bin)+len(value)))
	op = append(op, code, kind, 0, byte(len(bin)))
	m.ops = append(m.ops, append(append(op, bin...), value...))
	return err
}

// expand repeats the text in front of an asterisk.
func expand(text string) string {
	part, times, ok := strings.Cut(text, "*")
	n, err := strconv.Atoi(times)
	if !ok || err != nil {
		return text
	}
	return strings.Repeat(part, n)
}

// valueTypes are the particle types of values with a name.
var valueTypes = []struct {
	kind byte
	name string
}{{0, "nil"}, {1, "int"}, {2, "dbl"}, {3, "str"}, {4, "blob"}, {17, "bool"}, {18, "hll"}, {19, "map"}, {20, "list"}, {23, "geo"}}

// parseScriptValue reads TYPE:CONTENT.
func parseScriptValue(text string) (kind byte, b []byte, err error) {
	name, content, _ := strings.Cut(text, ":")
	content = expand(content)
	switch name {
	case "nil":
		return 0, nil, nil
	case "int":
		n, err := strconv.ParseInt(content, 10, 64)
		return 1, binary.BigEndian.AppendUint64(nil, uint64(n)), err
	case "dbl":
		f, err := strconv.ParseFloat(content, 64)
		return 2, binary.BigEndian.AppendUint64(nil, math.Float64bits(f)), err
	case "str":
		return 3, []byte(content), nil
	}
	for _, t := range valueTypes {
		if t.name == name {
			b, err = hex.DecodeString(content)
			return t.kind, b, err
		}
	}
	n, err := strconv.ParseUint(name, 10, 8)
	if err != nil {
		return 0, nil, fmt.Errorf("unknown type %q", name)
	}
	b, err = hex.DecodeString(content)
	return byte(n), b, err
}

// formatScriptValue is the inverse of parseScriptValue.
func formatScriptValue(kind byte, b []byte) string {
	switch {
	case kind == 0 && len(b) == 0:
		return "nil"
	case kind == 1 && len(b) == 8:
		return "int:" + strconv.FormatInt(int64(binary.BigEndian.Uint64(b)), 10)
	case kind == 2 && len(b) == 8:
		return "dbl:" + strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(b)), 'g', -1, 64)
	case kind == 3 && isPlain(b):
		return "str:" + string(b)
	}
	digits := hex.EncodeToString(b)
	if len(b) > 64 {
		digits = fmt.Sprintf("(%d bytes)", len(b))
	}
	for _, t := range valueTypes {
		if t.kind == kind {
			return t.name + ":" + digits
		}
	}
	return strconv.Itoa(int(kind)) + ":" + digits
}

// isPlain reports whether text can stand in a script as it is.
func isPlain(text []byte) bool {
	return len(text) <= 64 && !slices.ContainsFunc(text, func(c byte) bool { return c <= ' ' || c >= 0x7f || c == '*' })
}

// expressionOps are the operators of expressions (aerospike-client-go, expression.go).
var expressionOps = map[string]int64{
	"unknown": 0, "eq": 1, "ne": 2, "gt": 3, "ge": 4, "lt": 5, "le": 6, "regex": 7,
	"and": 16, "or": 17, "not": 18, "exclusive": 19, "add": 20, "sub": 21, "mul": 22, "div": 23, "pow": 24, "log": 25,
	"mod": 26, "abs": 27, "floor": 28, "ceil": 29, "to-int": 30, "to-dbl": 31, "int-and": 32, "int-or": 33, "int-xor": 34,
	"int-not": 35, "shift-left": 36, "shift-right": 37, "shift-signed": 38, "bit-count": 39, "left-scan": 40, "right-scan": 41,
	"min": 50, "max": 51, "digest-mod": 64, "device-size": 65, "lut": 66, "since": 67, "void": 68, "ttl": 69,
	"set-name": 70, "key-exists": 71, "tombstone": 72, "memory-size": 73, "record-size": 74, "key": 80, "bin": 81, "bin-type": 82,
	"cond": 123, "var": 124, "let": 125, "quote": 126,
}

// packExpression returns the MessagePack of an expression in JSON, or the bytes that 0x says.
func packExpression(text string) ([]byte, error) {
	if digits, ok := strings.CutPrefix(text, "0x"); ok {
		return hex.DecodeString(digits)
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return pack(nil, v, false)
}

// pack appends the MessagePack of v, as the Go client sends it. The first string of a list is
// an operator, if it is not the value of a string, which begins with its particle type.
func pack(b []byte, v any, operator bool) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, 0xc0), nil
	case bool:
		if v {
			return append(b, 0xc3), nil
		}
		return append(b, 0xc2), nil
	case string:
		code, ok := expressionOps[v]
		switch {
		case operator && ok:
			return packInteger(b, code), nil
		case operator && !strings.HasPrefix(v, "\x03") && !strings.HasPrefix(v, "\x04"):
			return nil, fmt.Errorf("unknown operator %q", v)
		case len(v) > 31:
			return nil, fmt.Errorf("string %q is too long for a script", v)
		}
		return append(append(b, 0xa0|byte(len(v))), v...), nil
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return packInteger(b, n), nil
		}
		f, err := v.Float64()
		return binary.BigEndian.AppendUint64(append(b, 0xcb), math.Float64bits(f)), err
	case []any:
		if len(v) > 15 {
			return nil, fmt.Errorf("a list of %d elements is too long for a script", len(v))
		}
		b = append(b, 0x90|byte(len(v)))
		var err error
		for i := range v {
			if b, err = pack(b, v[i], i == 0); err != nil {
				return nil, err
			}
		}
		return b, nil
	}
	return nil, fmt.Errorf("a %T is no part of an expression", v)
}

func packInteger(b []byte, n int64) []byte {
	switch {
	case n >= 0 && n < 128:
		return append(b, byte(n))
	case n < 0 && n >= -32:
		return append(b, byte(n))
	case n >= 0 && n <= math.MaxUint8:
		return append(b, 0xcc, byte(n))
	case n >= 0 && n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(b, 0xcd), uint16(n))
	case n >= 0 && n <= math.MaxUint32:
		return binary.BigEndian.AppendUint32(append(b, 0xce), uint32(n))
	case n >= 0:
		return binary.BigEndian.AppendUint64(append(b, 0xcf), uint64(n))
	}
	return binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
}
