package devnode_test

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
)

// scriptOutcome is what a node answered to a command, one line for each message:
//
//	0 gen=1 ttl=100 x=int:5 y=nil
//
// The first number is the result code. Then follow the generation, the seconds to the void time,
// info3, the row of a batch, and fields, where they are not 0 or missing, and the operations: bin,
// type and value. A "closed" means that the node closed the connection.
//
// Rows of a batch are in the order of their index, and rows of a scan in that of their
// partitions, since nodes answer them in any order. Rows of records that are not the script's are
// left out.
type scriptOutcome []string

// wire sends commands to a node.
type wire struct {
	encoder
	address string
	now     func() time.Time
	wait    func(time.Duration) // lets time pass

	conn    net.Conn
	reader  *bufio.Reader
	cluster *as.Client // nil before it is needed
}

// newWire returns a wire with sets of its own: one of 256 pairs, since a server has a limit.
func newWire(address string) *wire {
	w := &wire{address: address, now: time.Now}
	var id [1]byte
	_, _ = rand.Read(id[:]) // never fails
	w.sets = map[string]string{"s": fmt.Sprintf("wire-s-%02x", id), "t": fmt.Sprintf("wire-t-%02x", id)}
	w.wait = func(d time.Duration) { <-time.After(d) }
	return w
}

func (w *wire) close() {
	w.hangUp()
	if w.cluster != nil {
		w.cluster.Close()
	}
}

// hangUp closes the connection. The next command opens another.
func (w *wire) hangUp() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is under way
		w.conn = nil
	}
}

// run returns the outcomes of the commands of a script, and deletes its records. Each script has
// records of its own.
func (w *wire) run(s script) ([]scriptOutcome, error) {
	_, _ = rand.Read(w.salt[:]) // never fails
	var outcomes []scriptOutcome
	for _, command := range s {
		o, err := w.command(command)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
	return outcomes, w.clean()
}

// clean deletes all records of scripts, so that the next one finds none.
func (w *wire) clean() error {
	for name := range records {
		o, err := w.command("msg 00.03.00 set=- rec=" + name)
		if err != nil {
			return err
		}
		if o[0] != "0" && o[0] != "2" {
			return fmt.Errorf("delete record %s at the end of a script: code %s", name, o[0])
		}
	}
	return nil
}

// command sends a command and returns what is answered.
func (w *wire) command(command string) (scriptOutcome, error) {
	if seconds, ok := strings.CutPrefix(command, "wait "); ok {
		f, err := strconv.ParseFloat(seconds, 64)
		w.wait(time.Duration(f * float64(time.Second)))
		return nil, err
	}
	if call, ok := strings.CutPrefix(command, "client "); ok {
		return w.client(call)
	}
	if names, ok := strings.CutPrefix(command, "info "); ok {
		return w.info(names)
	}
	request, err := w.encode(command)
	if err != nil {
		return nil, err
	}
	return w.exchange(request)
}

// info asks for names, which are separated by spaces, and returns a line for each. What
// differs from node to node is replaced by a word.
func (w *wire) info(names string) (scriptOutcome, error) {
	conn, err := net.DialTimeout("tcp", w.address, 5*time.Second)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	body := strings.ReplaceAll(w.rename(names), " ", "\n") + "\n"
	request := append(binary.BigEndian.AppendUint64(nil, 2<<56|1<<48|uint64(len(body))), body...)
	if _, err := conn.Write(request); err != nil {
		return nil, err
	}
	_, answer, err := readFrame(conn)
	if err != nil {
		return nil, err
	}
	var o scriptOutcome
	for line := range strings.Lines(string(answer)) {
		line = strings.TrimSuffix(line, "\n")
		for name, sent := range w.sets {
			line = strings.ReplaceAll(line, sent, name)
		}
		line = strings.ReplaceAll(line, w.address, "ADDRESS")
		line = nodeID.ReplaceAllString(line, "ID")
		line = strings.ReplaceAll(line, strings.Repeat("/", 682)+"8=", "ALL")
		o = append(o, strings.ReplaceAll(line, "\t", " "))
	}
	return o, nil
}

var nodeID = regexp.MustCompile(`\b[0-9A-F]{15,16}\b`)

// rename returns text with the names of the sets that are sent, where it says SET-s.
func (w *wire) rename(text string) string {
	for name, sent := range w.sets {
		text = strings.ReplaceAll(text, "=SET-"+name, "="+sent)
		text = strings.ReplaceAll(text, "/SET-"+name, "/"+sent)
	}
	return text
}

// marker is an info request, whose answer ends that of the request in front of it. It is sent
// when the first frame has come: with both at once, a server that waits for acknowledgements
// needs 40 ms.
var marker = append(binary.BigEndian.AppendUint64(nil, 2<<56|1<<48|5), "node\n"...)

// exchange sends a request and returns what is answered.
func (w *wire) exchange(request []byte) (scriptOutcome, error) {
	if w.conn == nil {
		conn, err := net.DialTimeout("tcp", w.address, 5*time.Second)
		if err != nil {
			return nil, err
		}
		w.conn, w.reader = conn, bufio.NewReader(conn)
	}
	if err := w.conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return nil, err
	}
	// A node that closes the connection may do so before all is written.
	_, _ = w.conn.Write(request)
	var rows []row
	for frames := 0; ; frames++ {
		kind, body, err := readFrame(w.reader)
		if frames == 0 {
			_, _ = w.conn.Write(marker)
		}
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, fmt.Errorf("no answer to request %x: %w", request, err)
		case err != nil:
			w.hangUp()
			return append(w.lines(rows), "closed"), nil //nolint:nilerr // that is the outcome
		case kind == 1:
			return w.lines(rows), nil
		case kind != 3:
			rows = append(rows, row{line: fmt.Sprintf("type=%d %x", kind, body), last: true})
			continue
		}
		if rows, err = w.appendRows(rows, body); err != nil {
			return nil, fmt.Errorf("answer %x to request %x: %w", body, request, err)
		}
	}
}

func readFrame(r io.Reader) (kind byte, body []byte, err error) {
	header := make([]byte, 8)
	if _, err := io.ReadFull(r, header); err != nil {
		return 0, nil, err
	}
	body = make([]byte, binary.BigEndian.Uint64(header)&(1<<48-1))
	_, err = io.ReadFull(r, body)
	return header[1], body, err
}

// row is a message of an answer.
type row struct {
	line      string
	index     int // of a batch
	partition int // of a scan
	last      bool
	foreign   bool // the record is none of the script's
}

func (w *wire) lines(rows []row) scriptOutcome {
	rows = slices.DeleteFunc(rows, func(r row) bool { return r.foreign })
	slices.SortStableFunc(rows, func(a, b row) int {
		order := func(r row) int {
			if r.last {
				return 1
			}
			return 0
		}
		return cmp.Or(order(a)-order(b), a.partition-b.partition, a.index-b.index)
	})
	var lines scriptOutcome
	for _, r := range rows {
		lines = append(lines, r.line)
	}
	return lines
}

// appendRows appends the messages of a frame.
func (w *wire) appendRows(rows []row, b []byte) ([]row, error) {
	for len(b) > 0 {
		var r row
		var err error
		if r, b, err = w.parseRow(b); err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	return rows, nil
}

var errShortMessage = errors.New("message ends early")

// parseRow reads a message. It returns what is behind it.
func (w *wire) parseRow(b []byte) (r row, rest []byte, err error) {
	const header, done, epoch = 22, 4, 1262304000
	if len(b) < header || b[0] != header {
		return r, nil, errShortMessage
	}
	words := []string{strconv.Itoa(int(b[5]))}
	add := func(format string, value any, shown bool) {
		if shown {
			words = append(words, fmt.Sprintf(format, value))
		}
	}
	generation, void, index := binary.BigEndian.Uint32(b[6:]), binary.BigEndian.Uint32(b[10:]), binary.BigEndian.Uint32(b[14:])
	add("gen=%d", generation, generation != 0)
	add("ttl=%d", int64(void)+epoch-w.now().Unix(), void != 0)
	add("row=%d", index, index != 0)
	add("info=%x", b[1:5], b[1]|b[2]|b[4] != 0)
	add("info3=%d", b[3], b[3] != 0 && b[1]|b[2]|b[4] == 0)
	r.index, r.last = int(index), b[3]&1 != 0
	if b[3]&done != 0 {
		r.partition = int(generation)
	}
	fields, ops := int(binary.BigEndian.Uint16(b[18:])), int(binary.BigEndian.Uint16(b[20:]))
	b = b[header:]
	for i := range fields + ops {
		if len(b) < 4 || uint64(binary.BigEndian.Uint32(b)) > uint64(len(b)-4) {
			return r, nil, errShortMessage
		}
		n := 4 + int(binary.BigEndian.Uint32(b))
		var word string
		if i < fields {
			word = w.field(&r, b[4], b[5:n])
		} else {
			word, err = w.operation(b[4:n])
		}
		words, b = append(words, word), b[n:]
	}
	r.line = strings.Join(words, " ")
	return r, b, err
}

// field describes a field of an answer.
func (w *wire) field(r *row, id byte, data []byte) string {
	switch id {
	case 0:
		return "ns=" + string(data)
	case 1:
		for name, sent := range w.sets {
			if sent == string(data) {
				return "set=" + name
			}
		}
		return "set=" + string(data)
	case 2:
		return "key=" + formatScriptValue(data[0], data[1:])
	case 4:
		name, ok := w.record(data)
		r.foreign = !ok
		r.partition = int(binary.LittleEndian.Uint16(data)) & 4095
		return "rec=" + name
	}
	return fmt.Sprintf("field=%d:%x", id, data)
}

// operation describes an operation of an answer.
func (w *wire) operation(b []byte) (string, error) {
	const fixed = 4
	if len(b) < fixed || len(b) < fixed+int(b[3]) {
		return "", errShortMessage
	}
	name, value := b[fixed:fixed+int(b[3])], b[fixed+int(b[3]):]
	word := string(name) + "=" + formatScriptValue(b[1], value)
	if !isPlain(name) {
		word = hex.EncodeToString(name) + "(hex)=" + formatScriptValue(b[1], value)
	}
	if b[1] == 1 && len(value) == 8 {
		since := w.now().UnixNano() - int64(binary.BigEndian.Uint64(value))
		if time.Duration(since).Abs() < time.Minute {
			word = string(name) + "=lut"
		}
	}
	if b[0] != 1 || b[2] != 0 {
		word += fmt.Sprintf("(op %d, byte 2 %d)", b[0], b[2])
	}
	return word, nil
}

// same reports whether outcomes are the same, but for times that differ by at most five seconds:
// clocks went on, and a server takes a second or more to close a connection.
func (o scriptOutcome) same(other scriptOutcome) bool {
	return slices.EqualFunc(o, other, func(a, b string) bool {
		return slices.EqualFunc(strings.Fields(a), strings.Fields(b), func(a, b string) bool {
			if a == b {
				return true
			}
			x, ok := strings.CutPrefix(a, "ttl=")
			y, ok2 := strings.CutPrefix(b, "ttl=")
			m, err := strconv.Atoi(x)
			n, err2 := strconv.Atoi(y)
			return ok && ok2 && err == nil && err2 == nil && m-n <= 5 && n-m <= 5
		})
	})
}

func (o scriptOutcome) String() string {
	var b bytes.Buffer
	for _, line := range o {
		fmt.Fprintf(&b, "> %s\n", line)
	}
	return b.String()
}
