package devnode_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/connector/devnode/devnodetest"
)

// frame returns a message of a type with its header.
func frame(kind byte, body []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, 2<<56|uint64(kind)<<48|uint64(len(body))), body...)
}

func field(id byte, data string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(data)+1))) + string(id) + data
}

func op(code, particle byte, name, value string) string {
	size := 4 + len(name) + len(value)
	return string(binary.BigEndian.AppendUint32(nil, uint32(size))) + string([]byte{code, particle, 0, byte(len(name))}) + name + value
}

// command is a request for records as clients send it.
type command struct {
	info            string // info1, info2 and info3 in hexadecimal
	generation, ttl uint32
	fields, ops     []string
}

func (c command) body() []byte {
	info, err := hex.DecodeString(strings.ReplaceAll(c.info, " ", ""))
	if err != nil {
		panic(err)
	}
	b := append([]byte{22}, info...)
	b = append(b, 0, 0)
	b = binary.BigEndian.AppendUint32(b, c.generation)
	b = binary.BigEndian.AppendUint32(b, c.ttl)
	b = binary.BigEndian.AppendUint32(b, 1000)
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.fields)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(c.ops)))
	return append(b, strings.Join(slices.Concat(c.fields, c.ops), "")...)
}

// one returns the fields of a request for a record of the set "s" with a digest of that byte.
func one(digest byte, more ...string) []string {
	return append([]string{field(0, "test"), field(1, "s"), field(4, strings.Repeat(string([]byte{digest}), 20))}, more...)
}

// dial connects to n.
func dial(t testing.TB, n *devnode.Node) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// dialServer connects to the server that AEROSPIKE_HOST names (HOST or HOST:PORT), which must
// have a namespace "test", or else to a node with a clock that stands still.
func dialServer(t testing.TB) (conn net.Conn, real bool) {
	t.Helper()
	address, ok := devnodetest.Server()
	if !ok {
		return dial(t, listen(t, devnode.Config{Now: fixedClock})), false
	}
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	for digest := range byte(10) { // of tests before
		exchange(t, conn, 3, command{info: "00 03 00", fields: one(digest)}.body())
	}
	return conn, true
}

// exchange sends a message and returns the body of the answer.
func exchange(t testing.TB, conn net.Conn, kind byte, body []byte) []byte {
	t.Helper()
	if _, err := conn.Write(frame(kind, body)); err != nil {
		t.Fatal(err)
	}
	return receive(t, conn, kind)
}

// exchangeAll sends a request whose answer is several messages, and returns them.
func exchangeAll(t testing.TB, conn net.Conn, c command) []byte {
	t.Helper()
	all := exchange(t, conn, 3, c.body())
	for all[len(all)-22+3] != 1 {
		all = append(all, receive(t, conn, 3)...)
	}
	return all
}

// receive returns the body of the next frame, which must be of that type.
func receive(t testing.TB, conn net.Conn, kind byte) []byte {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var header [8]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		t.Fatal(err)
	}
	if header[0] != 2 || header[1] != kind {
		t.Fatalf("header % x", header)
	}
	body := make([]byte, binary.BigEndian.Uint64(header[:])&(1<<48-1))
	if _, err := io.ReadFull(conn, body); err != nil {
		t.Fatal(err)
	}
	return body
}

// start is a time at which void times begin with 1e 15.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func fixedClock() time.Time { return start }

// allPartitions are the partitions of a scan of everything.
var allPartitions = func() string {
	var b []byte
	for p := range uint16(4096) {
		b = binary.LittleEndian.AppendUint16(b, p)
	}
	return string(b)
}()

// answer returns a message of an answer in hexadecimal: code, info3, generation, void time,
// index, and counts of fields and ops with their bytes.
func answer(code, info3 byte, generation, voidTime, index uint32, fields, ops []string) string {
	b := []byte{22, 0, 0, info3, 0, code}
	for _, n := range []uint32{generation, voidTime, index} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(fields)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(ops)))
	return hex.EncodeToString(append(b, strings.Join(slices.Concat(fields, ops), "")...))
}

const int27 = "\x00\x00\x00\x00\x00\x00\x00\x1b"

// Bytes of requests and answers, one after the other on one connection. Those of a real server
// are the same, but for its clock and what the Community Edition does not have.
func TestNode_wire(t *testing.T) {
	conn, real := dialServer(t)
	voidTime := uint32(start.Unix() - 1262304000 + 100)
	digest := func(b byte) string { return strings.Repeat(string([]byte{b}), 20) }
	age := field(43, "\x93\x01\x93\x51\x02\xa3age\x1b") // age == 27
	young := field(43, "\x93\x05\x93\x51\x02\xa3age\x01")
	for _, tt := range []struct {
		name    string
		command command
		want    string
	}{
		{"get absent", command{info: "03 00 00", fields: one(1)}, answer(2, 0, 0, 0, 0, nil, nil)},
		{"put with key and ttl", command{info: "00 01 00", ttl: 100, fields: one(1, field(2, "\x03joe")), ops: []string{op(2, 1, "age", int27)}}, answer(0, 0, 1, voidTime, 0, nil, nil)},
		{"get all", command{info: "03 00 00", fields: one(1)}, answer(0, 0, 1, voidTime, 0, nil, []string{op(1, 1, "age", int27)})},
		{"get bins", command{info: "01 00 00", fields: one(1), ops: []string{op(1, 0, "age", ""), op(1, 0, "absent", "")}}, answer(0, 0, 1, voidTime, 0, nil, []string{op(1, 1, "age", int27)})},
		{"header", command{info: "21 00 00", fields: one(1)}, answer(0, 0, 1, voidTime, 0, nil, nil)},
		{"create again", command{info: "00 21 00", fields: one(1), ops: []string{op(2, 1, "age", int27)}}, answer(5, 0, 1, voidTime, 0, nil, nil)},
		{"generation", command{info: "00 05 00", generation: 7, fields: one(1), ops: []string{op(2, 1, "age", int27)}}, answer(3, 0, 1, voidTime, 0, nil, nil)},
		{"generation + 65536", command{info: "00 05 00", generation: 65537, fields: one(1), ops: []string{op(2, 1, "age", int27)}}, answer(3, 0, 1, voidTime, 0, nil, nil)},
		{"later generation", command{info: "00 09 00", generation: 2, fields: one(1), ops: []string{op(2, 1, "x", "\x05")}, ttl: 0xfffffffe}, answer(0, 0, 2, voidTime, 0, nil, nil)},
		{"filtered read", command{info: "03 00 00", fields: one(1, young)}, answer(27, 0, 2, voidTime, 0, nil, nil)},
		{"touch", command{info: "00 01 00", ttl: 0xffffffff, fields: one(1, age), ops: []string{op(11, 0, "", "")}}, answer(0, 0, 3, 0, 0, nil, nil)},
		{"replace", command{info: "00 01 10", fields: one(1), ops: []string{op(2, 3, "n", "Joe")}}, answer(0, 0, 4, 0, 0, nil, nil)},
		{"append, respond to each op", command{info: "01 81 00", fields: one(1), ops: []string{op(9, 3, "n", " S"), op(1, 0, "n", ""), op(1, 0, "no", "")}}, answer(0, 0, 5, 0, 0, nil, []string{op(9, 0, "n", ""), op(1, 3, "n", "Joe S"), op(1, 0, "no", "")})},
		{"expression", command{info: "01 00 00", fields: one(1), ops: []string{op(7, 4, "u", "\x92\x91\x48\x00")}}, answer(0, 0, 5, 0, 0, nil, []string{op(7, 17, "u", "\x00")})},
		{"delete bin, the last", command{info: "00 01 00", fields: one(1), ops: []string{op(2, 0, "n", "")}}, answer(0, 0, 0, 0, 0, nil, nil)},
		{"delete bin, the last, durably", command{info: "00 11 00", fields: one(6), ops: []string{op(2, 1, "n", "\x01"), op(14, 0, "", "")}}, answer(2, 0, 0, 0, 0, nil, nil)},
		{"delete absent", command{info: "00 03 00", fields: one(1)}, answer(2, 0, 0, 0, 0, nil, nil)},
		{"update only, absent", command{info: "00 01 08", fields: one(1), ops: []string{op(2, 1, "a", "\x01")}}, answer(2, 0, 0, 0, 0, nil, nil)},
		{"touch, absent", command{info: "00 01 00", fields: one(1), ops: []string{op(11, 0, "", "")}}, answer(2, 0, 0, 0, 0, nil, nil)},
		{"filter is not asked about an absent record", command{info: "00 01 00", fields: one(2, young), ops: []string{op(2, 1, "age", int27)}}, answer(0, 0, 1, 0, 0, nil, nil)},
		{"filtered delete", command{info: "00 03 00", fields: one(2, young)}, answer(27, 0, 0, 0, 0, nil, nil)},
		{"durable delete", command{info: "00 13 00", fields: one(2, age)}, answer(0, 0, 0, 0, 0, nil, nil)},
		{"create after a tombstone", command{info: "00 21 00", fields: one(2), ops: []string{op(2, 1, "age", int27)}}, answer(0, 0, 3, 0, 0, nil, nil)},
		{"batch: put, repeated, read, absent", command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x04\x04"+
			"\x00\x00\x00\x00"+digest(3)+"\x0e\x00\x01\x00\x00\x00\xff\xff\xff\xff\x00\x02\x00\x01"+field(0, "test")+field(1, "s")+op(2, 1, "age", int27)+
			"\x00\x00\x00\x01"+digest(4)+"\x01"+
			"\x00\x00\x00\x02"+digest(3)+"\x0a\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00"+field(0, "test")+field(1, "s")+
			"\x00\x00\x00\x03"+digest(5)+"\x01")}},
			answer(0, 0, 1, 0, 0, nil, nil) + answer(0, 0, 1, 0, 1, nil, nil) + answer(0, 0, 1, 0, 2, nil, []string{op(1, 1, "age", int27)}) + answer(2, 0, 0, 0, 3, nil, nil) + answer(0, 1, 0, 0, 0, nil, nil)},
		{"batch without sets", command{info: "09 00 00", fields: []string{field(42, "\x00\x00\x00\x01\x05\x00\x00\x00\x07"+digest(3)+"\x00\x21\x00\x02\x00\x00"+field(0, "test")+field(1, "s"))}},
			answer(0, 0, 1, 0, 7, nil, nil) + answer(0, 1, 0, 0, 0, nil, nil)},
		{"scan of a partition, metadata only", command{info: "21 00 04", fields: []string{field(0, "test"), field(1, "s"), field(11, "\x03\x03")}},
			"1620" + answer(0, 0, 1, 0, 0, []string{field(0, "test"), field(4, digest(3)), field(1, "s")}, nil)[4:] + answer(0, 1, 0, 0, 0, nil, nil)},
		{"scan behind a digest", command{info: "03 00 04", fields: []string{field(0, "test"), field(12, digest(3)+digest(5))}}, answer(0, 1, 0, 0, 0, nil, nil)},
	} {
		send := func(t testing.TB, conn net.Conn, c command) []byte { return exchange(t, conn, 3, c.body()) }
		if strings.HasSuffix(tt.want, answer(0, 1, 0, 0, 0, nil, nil)) {
			send = exchangeAll
		}
		got := send(t, conn, tt.command)
		if real {
			if tt.command.info == "00 13 00" || strings.HasPrefix(tt.name, "create after") || strings.HasPrefix(tt.name, "batch:") {
				continue // durable deletes are not for the Community Edition, and rows come in any order
			}
			if at := binary.BigEndian.Uint32(got[10:]); at > 0 {
				binary.BigEndian.PutUint32(got[10:], voidTime)
			}
		}
		if diff := cmp.Diff(tt.want, hex.EncodeToString(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Requests that are wrong are answered with the code of the server, and the connection goes
// on.
func TestNode_badRequests(t *testing.T) {
	conn, real := dialServer(t)
	unsupported := []string{"map op", "bits op", "HLL op", "UDF", "scan that writes", "key of a list", "expression that nests too deep"}
	put := func(ops ...string) command { return command{info: "00 01 00", fields: one(1), ops: ops} }
	ok := op(2, 1, "a", "\x01")
	exchange(t, conn, 3, put(ok).body())
	scan := func(fields ...string) command {
		return command{info: "03 00 04", fields: append([]string{field(0, "test"), field(11, "\x03\x03")}, fields...)}
	}
	for _, tt := range []struct {
		name    string
		command command
		code    byte
	}{
		{"no fields", command{info: "03 00 00"}, 20},
		{"another namespace", command{info: "03 00 00", fields: []string{field(0, "tes"), field(4, strings.Repeat("d", 20))}}, 20},
		{"key without digest", command{info: "03 00 00", fields: []string{field(0, "test"), field(2, "\x03k")}}, 16},
		{"digest of 19 bytes", command{info: "03 00 00", fields: []string{field(0, "test"), field(4, strings.Repeat("d", 19))}}, 4},
		{"read of nothing", command{info: "01 00 00", fields: one(1)}, 4},
		{"put of nothing", put(), 4},
		{"unknown op", put(op(99, 1, "a", "\x01")), 4},
		{"read without its bit", put(op(1, 0, "a", "")), 4},
		{"read all without its op", command{info: "03 01 00", fields: one(1), ops: []string{ok}}, 4},
		{"read all twice", command{info: "03 01 00", fields: one(1), ops: []string{op(1, 0, "", ""), op(1, 0, "", "")}}, 4},
		{"read all, and a bin", command{info: "03 01 00", fields: one(1), ops: []string{op(1, 0, "", ""), op(1, 0, "a", "")}}, 4},
		{"read all, respond to each op", command{info: "03 81 00", fields: one(1), ops: []string{op(1, 0, "", "")}}, 4},
		{"read all, and write", command{info: "03 01 00", fields: one(1), ops: []string{ok, op(1, 0, "", "")}}, 0},
		{"scan that writes", command{info: "00 01 04", fields: []string{field(0, "test")}, ops: []string{ok}}, 16},
		{"map op", put(op(4, 4, "a", "\x93\x00\x01\x02")), 16},
		{"bits op", put(op(13, 4, "a", "\x93\x00\x01\x02")), 16},
		{"HLL op", put(op(16, 4, "a", "\x93\x00\x01\x02")), 16},
		{"UDF", command{info: "00 01 00", fields: one(1, field(30, "p"), field(31, "f"), field(32, "\x90"))}, 16},
		{"transaction", command{info: "03 00 00", fields: one(1, field(5, "12345678"))}, 25},
		{"set of 64 bytes", command{info: "00 01 00", fields: []string{field(0, "test"), field(1, strings.Repeat("s", 64)), field(4, strings.Repeat("d", 20))}, ops: []string{ok}}, 4},
		{"another set", command{info: "00 01 00", fields: []string{field(0, "test"), field(1, "t"), field(4, strings.Repeat("\x01", 20))}, ops: []string{ok}}, 4},
		{"no set", command{info: "00 01 00", fields: []string{field(0, "test"), field(4, strings.Repeat("\x01", 20))}, ops: []string{ok}}, 4},
		{"another set, read", command{info: "03 00 00", fields: []string{field(0, "test"), field(1, "t"), field(4, strings.Repeat("\x01", 20))}}, 4},
		{"bin name of 16 bytes", put(op(2, 1, strings.Repeat("b", 16), "\x01")), 21},
		{"nil in a replace", command{info: "00 01 10", fields: one(1), ops: []string{op(2, 0, "a", "")}}, 4},
		{"touch in a replace", command{info: "00 01 10", fields: one(1), ops: []string{op(11, 0, "", "")}}, 4},
		{"add in a replace", command{info: "00 01 20", fields: one(1), ops: []string{op(5, 1, "a", "\x01")}}, 4},
		{"nil bin, absent record", command{info: "00 01 00", fields: one(9), ops: []string{op(2, 0, "a", "")}}, 2},
		{"add string", put(op(5, 3, "a", "x")), 12},
		{"add nil", put(op(5, 0, "a", "")), 4},
		{"add an integer of 3 bytes", put(op(5, 1, "a", "abc")), 4},
		{"append nil", put(op(9, 0, "a", "")), 4},
		{"add double to integer", put(op(5, 2, "a", "\x00\x00\x00\x00\x00\x00\x00\x00")), 12},
		{"append to integer", put(op(9, 3, "a", "x")), 12},
		{"append an integer", put(op(9, 1, "a", "x")), 12},
		{"append a language blob to an absent bin", put(op(9, 9, "new", "x")), 0},
		{"ttl of more than ten years", command{info: "00 01 00", ttl: 315360001, fields: one(1), ops: []string{ok}}, 4},
		{"1 MiB", put(op(2, 4, "a", strings.Repeat("x", 1<<20))), 13},
		{"expression that is no list", command{info: "03 00 00", fields: one(1, field(43, "\x01"))}, 4},
		{"expression that ends early", command{info: "03 00 00", fields: one(1, field(43, "\x93\x01\x93\x51\x02\xa1"))}, 4},
		{"expression with an unknown operator", command{info: "03 00 00", fields: one(1, field(43, "\x91\x7e"))}, 4},
		{"expression of an integer", command{info: "03 00 00", fields: one(1, field(43, "\x91\x42"))}, 4},
		{"comparison of an integer and a string", command{info: "03 00 00", fields: one(1, field(43, "\x93\x01\x91\x42\xa2\x03a"))}, 4},
		{"expression of 70,000 values", command{info: "03 00 00", fields: one(1, field(43, "\xdd\x00\x01\x11\x71\x10"+strings.Repeat("\xc3", 70000)))}, 4},
		{"expression with an argument that is not there", command{info: "03 00 00", fields: one(1, field(43, "\xdd\x7f\xff\xff\xff\x10\xc3"))}, 4},
		{"expression that nests too deep", command{info: "03 00 00", fields: one(1, field(43, strings.Repeat("\x92\x12", 1001)+"\xc3"))}, 4},
		{"expression op that fails", command{info: "01 00 00", fields: one(1), ops: []string{op(7, 4, "u", "\x92\x93\x51\x02\xa2no\x00")}}, 26},
		{"expression op without flags", command{info: "01 00 00", fields: one(1), ops: []string{op(7, 4, "u", "\x91\x91\x42")}}, 0},
		{"expression op without an expression", command{info: "01 00 00", fields: one(1), ops: []string{op(7, 4, "u", "\x90")}}, 4},
		{"broken expression, absent record", command{info: "03 00 00", fields: one(9, field(43, "\x01"))}, 2},
		{"broken expression, wrong generation", command{info: "00 05 00", generation: 99, fields: one(1, field(43, "\x01")), ops: []string{ok}}, 3},
		{"and of one", command{info: "03 00 00", fields: one(1, field(43, "\x92\x10\xc3"))}, 4},
		{"bin of 16 bytes in an expression", command{info: "03 00 00", fields: one(1, field(43, "\x93\x01\x93\x51\x02\xb00123456789abcdef\x01"))}, 4},
		{"variable twice in an expression", command{info: "03 00 00", fields: one(1, field(43, "\x96\x7d\xa1x\xc3\xa1x\xc2\x92\x7c\xa1x"))}, 4},
		{"variable that is not defined", command{info: "03 00 00", fields: one(1, field(43, "\x92\x7c\xa1x"))}, 4},
		{"another key", command{info: "00 01 00", fields: one(1, field(2, "\x03a")), ops: []string{ok}}, 0},
		{"another key, again", command{info: "00 01 00", fields: one(1, field(2, "\x03b")), ops: []string{ok}}, 19},
		{"another key, read", command{info: "03 00 00", fields: one(1, field(2, "\x03b"))}, 19},
		{"key of a list", command{info: "00 01 00", fields: one(7, field(2, "\x14\x90")), ops: []string{ok}}, 16},
		{"key of an integer of one byte", command{info: "00 01 00", fields: one(7, field(2, "\x01\x05")), ops: []string{ok}}, 16},
		{"batch of no rows", command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x00\x04")}}, 4},
		{"batch that begins with a repeat", command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x01\x04\x00\x00\x00\x00"+strings.Repeat("d", 20)+"\x01")}}, 4},
		{"batch of a million rows that are not there", command{info: "09 00 00", fields: []string{field(41, "\x00\x10\x00\x00\x04")}}, 4},
		{"batch that ends early", command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x01\x04\x00\x00\x00\x00"+strings.Repeat("d", 20)+"\x0a")}}, 4},
		{"batch of an unknown namespace", command{info: "09 00 00", fields: []string{field(41, "\x00\x00\x00\x01\x04\x00\x00\x00\x00"+strings.Repeat("d", 20)+"\x00\x21\x00\x01\x00\x00"+field(0, "no"))}}, 4},
		{"scan with half a partition", command{info: "03 00 04", fields: []string{field(0, "test"), field(11, "\x01")}}, 4},
		{"scan with partition 4096", command{info: "03 00 04", fields: []string{field(0, "test"), field(11, "\x00\x10")}}, 4},
		{"scan of no partitions", command{info: "03 00 04", fields: []string{field(0, "test"), field(11, "")}}, 4},
		{"scan without partitions", command{info: "03 00 04", fields: []string{field(0, "test")}}, 16},
		{"scan of another namespace", command{info: "03 00 04", fields: []string{field(0, "no"), field(11, "\x03\x03")}}, 20},
		{"scan with a broken filter", scan(field(43, "\x01")), 4},
		{"scan behind half a digest", scan(field(12, "0123456789")), 4},
		{"scan with a limit of one byte", scan(field(13, "\x01")), 4},
		{"query by an index", scan(field(22, "\x01\x01a\x01\x00\x00\x00\x08"+int27+"\x00\x00\x00\x08"+int27)), 201},
	} {
		if real && slices.Contains(unsupported, tt.name) {
			continue
		}
		if got := exchange(t, conn, 3, tt.command.body()); got[5] != tt.code {
			t.Errorf("%s: code %d, want %d", tt.name, got[5], tt.code)
		}
	}
	for name, body := range map[string][]byte{
		"short body":                          make([]byte, 21),
		"fields that are not there":           append(append([]byte{22}, make([]byte, 17)...), 0, 9, 0, 0),
		"ops that are not there":              append(append([]byte{22}, make([]byte, 17)...), 0, 0, 0, 9),
		"field of no bytes":                   append(append([]byte{22}, make([]byte, 17)...), 0, 1, 0, 0, 0, 0, 0, 0, 0),
		"op shorter than its name":            append(append([]byte{22}, make([]byte, 17)...), 0, 0, 0, 1, 0, 0, 0, 4, 2, 1, 0, 9),
		"bytes behind the last op":            append(append([]byte{22}, make([]byte, 21)...), 7),
		"field that is longer than a message": append(append([]byte{22}, make([]byte, 17)...), 0, 1, 0, 0, 0xff, 0xff, 0xff, 0xff, 0),
	} {
		if got := exchange(t, conn, 3, body); got[5] != 4 || got[3] != 0 {
			t.Errorf("%s: % x, want code 4", name, got)
		}
	}
	if _, err := conn.Write(frame(4, make([]byte, 30))); err != nil {
		t.Fatal(err)
	}
	if got := receive(t, conn, 3); got[5] != 25 {
		t.Errorf("compressed: % x, want code 25", got)
	}
	if got := exchange(t, conn, 2, make([]byte, 16)); got[1] != 51 {
		t.Errorf("login: % x, want code 51", got)
	}
}

// What add, append and prepend do with a value of any type, to a bin of any other: 0 is done.
func TestNode_combine(t *testing.T) {
	conn, _ := dialServer(t)
	values := map[byte]string{0: "", 1: int27, 2: "\x3f\xf0\x00\x00\x00\x00\x00\x00", 3: "s", 4: "b", 7: "x", 8: "x", 9: "x", 10: "x", 11: "x", 12: "x", 16: "v", 17: "\x01",
		18: "\x00\x04\x00" + string(make([]byte, 20)), 19: "\x80", 20: "\x90", 23: "\x00\x00\x00" + `{"type":"Point","coordinates":[1.0,2.0]}`, 5: "x", 99: "x"}
	do := func(o string) byte {
		return exchange(t, conn, 3, command{info: "00 01 00", fields: one(1), ops: []string{o}}.body())[5]
	}
	for _, code := range []byte{5, 9, 10} {
		for old, oldValue := range values {
			for kind, value := range values {
				exchange(t, conn, 3, command{info: "00 03 00", fields: one(1)}.body())
				absent := do(op(2, old, "a", oldValue)) != 0
				var want byte
				switch sums := kind <= 2; {
				case kind == 0 || kind == 5 || kind == 99:
					want = 4
				case absent:
				case old == 23:
					want = 1
				case kind != old, code == 5 && !sums, code != 5 && (sums || kind > 16):
					want = 12
				}
				if got := do(op(code, kind, "a", value)); got != want {
					t.Errorf("op %d of type %d on type %d: code %d, want %d", code, kind, old, got, want)
				}
			}
		}
	}
}

// Something that is not Aerospike's protocol ends the connection, and no other.
func TestNode_garbage(t *testing.T) {
	n := listen(t, devnode.Config{})
	good := dial(t, n)
	for name, bytes := range map[string]string{
		"HTTP":                     "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"TLS":                      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"another version":          "\x03\x03\x00\x00\x00\x00\x00\x16",
		"another type":             "\x02\x05\x00\x00\x00\x00\x00\x01\x00",
		"unknown type":             "\x02\x06\x00\x00\x00\x00\x00\x01\x00",
		"too large":                "\x02\x03\x00\x00\x08\x00\x00\x01",
		"as large as can be":       "\x02\x03\xff\xff\xff\xff\xff\xff",
		"ends in the header":       "\x02\x03\x00",
		"ends behind a true claim": "\x02\x03\x00\x00\x07\xff\xff\xff\x16",
	} {
		conn := dial(t, n)
		if _, err := io.WriteString(conn, bytes); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); len(got) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: got % x, %v", name, got, err)
		}
	}
	if got := exchange(t, good, 1, []byte("build\n")); string(got) != "build\t8.0.0.0\n" {
		t.Errorf("%q", got)
	}
}

// Requests that come before the answer to the first are answered in order.
func TestNode_pipelined(t *testing.T) {
	conn := dial(t, listen(t, devnode.Config{}))
	var all []byte
	const n = 500
	for i := range n {
		all = append(all, frame(3, command{info: "00 01 00", fields: one(1), ops: []string{op(2, 1, "i", string(binary.BigEndian.AppendUint64(nil, uint64(i))))}}.body())...)
	}
	if _, err := conn.Write(all); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		if got := receive(t, conn, 3); got[5] != 0 || binary.BigEndian.Uint32(got[6:]) != uint32(i+1) {
			t.Fatalf("answer %d: % x", i, got)
		}
	}
}

// A request that comes byte by byte is understood.
func TestNode_splitRequest(t *testing.T) {
	conn := dial(t, listen(t, devnode.Config{}))
	for _, b := range frame(3, command{info: "03 00 00", fields: one(1)}.body()) {
		if _, err := conn.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	if got := receive(t, conn, 3); got[5] != 2 {
		t.Errorf("% x", got)
	}
}
