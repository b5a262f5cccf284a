package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/format"
	formatjson "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/xdr"
)

// sendFile runs send with changes in a file, and returns what it prints.
func sendFile(t *testing.T, text string, args ...string) (string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "changes.json")
	write(t, path, []byte(text))
	var out bytes.Buffer
	err := run(t.Context(), append(append([]string{"send"}, args...), path), &out, io.Discard)
	return out.String(), err
}

// oneChange is a change without all that send fills in.
const oneChange = `{"msg":"write","key":["test","users",null,"k1"],"bins":[{"name":"age","type":"int","value":27}]}`

// inspected keeps the changes that a destination receives.
type inspected struct {
	mu      sync.Mutex
	changes []change.Change
}

func (i *inspected) note(_ *http.Request, changes []format.Parsed) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, p := range changes {
		i.changes = append(i.changes, p.Change)
	}
}

// Changes in every form of JSON arrive at the destination of a real connector, with what they
// lack filled in.
func TestSend_filledIn(t *testing.T) {
	var got inspected
	l := delivertest.Open(t, delivertest.Options{Inspect: got.note})
	b := startBinary(t, 0, strings.Replace(forward(l.URL, ""), "format: json", "format: xdr", 1))
	const text = oneChange + `
[{"msg":"write","key":["test","users",null,"k1"],"bins":[{"name":"age","type":"null","value":null}]},
 {"metadata":{"msg":"write","namespace":"test","userKey":7,"gen":9,"lut":1734388704784,"exp":4102444800},"name":"Joe"}]
{"msg":"delete","key":["test","users",null,"k1"]}
{"msg":"delete","key":["test",null,"X+O3wPRmmnfIRWwb9PH2jFWsEAI=",null],"durable":true}`
	begin := time.Now().UnixMilli()
	out, err := sendFile(t, text, "-to", b.xdr)
	if err != nil {
		t.Fatal(err)
	}
	k1, _ := xdr.Digest("users", change.StringValue([]byte("k1")))
	seven, _ := xdr.Digest("", change.IntegerValue(7))
	pattern := ""
	for _, line := range []string{"write           " + k1.String(), "write           " + k1.String(), "write           " + seven.String(), "delete          " + k1.String(), "durable-delete  X+O3wPRmmnfIRWwb9PH2jFWsEAI="} {
		pattern += regexp.QuoteMeta(line) + `  code 0: done, after [0-9.]+(µs|ms|s)\n`
	}
	if !regexp.MustCompile("^" + pattern + "$").MatchString(out) {
		t.Errorf("printed\n%swant\n%s", out, pattern)
	}
	byVersion := map[string]change.Change{}
	for _, c := range got.changes {
		byVersion[fmt.Sprint(c.Digest, c.Generation)] = c
	}
	find := func(d change.Digest, generation uint32) change.Change {
		c, ok := byVersion[fmt.Sprint(d, generation)]
		if !ok {
			t.Fatalf("generation %d of %s did not arrive", generation, d)
		}
		return c
	}
	first, second, deleted := find(k1, 1), find(k1, 2), find(k1, 3)
	if now := time.Now().UnixMilli(); first.LUT < begin || second.LUT < first.LUT || deleted.LUT < second.LUT || deleted.LUT > now {
		t.Errorf("times %d, %d, %d are not from %d to %d", first.LUT, second.LUT, deleted.LUT, begin, now)
	}
	if first.Mode != change.Replace || second.Mode != change.Update || first.Expiry != 0 || string(first.Key.Bytes()) != "k1" || first.Set != "users" || first.Bins[0].Value.Integer() != 27 {
		t.Errorf("%s%s", changetest.Describe(&first), changetest.Describe(&second))
	}
	// XDR has the seconds that a record still lives, to which the connector adds its own clock.
	latest := 4102444800 + time.Now().Unix() - begin/1000
	if given := find(seven, 9); given.LUT != 1734388704784 || given.Expiry < 4102444800 || given.Expiry > latest || given.Set != "" || string(given.Bins[0].Value.Bytes()) != "Joe" {
		t.Errorf("%s", changetest.Describe(&given))
	}
	if deleted.Op != change.Delete || find(change.Digest{0x5f, 0xe3, 0xb7, 0xc0, 0xf4, 0x66, 0x9a, 0x77, 0xc8, 0x45, 0x6c, 0x1b, 0xf4, 0xf1, 0xf6, 0x8c, 0x55, 0xac, 0x10, 0x02}, 1).Op != change.DurableDelete {
		t.Errorf("%s", changetest.Describe(&deleted))
	}
	b.terminate(t)
}

// Generations are counted for each record of each namespace, and are 1 again after 65,535.
func TestSend_generations(t *testing.T) {
	const text = `{"msg":"write","key":["a","s",null,1],"bins":[]}
{"msg":"write","key":["b","s",null,1],"bins":[]}
{"msg":"write","key":["a","s",null,1],"gen":65535,"bins":[]}
{"msg":"write","key":["a","s",null,1],"bins":[]}
{"msg":"write","key":["b","s",null,1],"bins":[]}`
	o := sendOptions{metadataKey: "metadata"}
	requests, err := o.readRequests("changes", strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []uint32
	for _, r := range requests {
		got = append(got, r.change.Generation)
	}
	if diff := cmp.Diff([]uint32{1, 1, 65535, 1, 2}, got); diff != "" {
		t.Error(diff)
	}
}

// As a process, send reads standard input, and its exit status is that of the replies.
func TestSend_exitStatus(t *testing.T) {
	var fault atomic.Int64
	l := delivertest.New(t, func(int) delivertest.Fault { return delivertest.Fault(fault.Load()) })
	b := startBinary(t, 0, forward(l.URL, ""))
	for _, tt := range []struct {
		fault  delivertest.Fault
		args   []string
		status int
		want   string
	}{
		{delivertest.None, nil, 0, "code 0: done, after"},
		{delivertest.None, []string{"-"}, 0, "code 0: done, after"},
		{delivertest.Status500, nil, 1, "code 18: the database ships it again, after"},
		{delivertest.Status500, nil, 1, "connector send: 1 of 1 change not done: 1 to be shipped again; the connector's log says why\n"},
	} {
		fault.Store(int64(tt.fault))
		process := changetest.Command(t, append([]string{"send", "-to", b.xdr}, tt.args...)...)
		process.Stdin = strings.NewReader(oneChange)
		out, _ := process.CombinedOutput() // the exit status is checked below
		if status := process.ProcessState.ExitCode(); status != tt.status || !strings.Contains(string(out), tt.want) {
			t.Errorf("exit status %d, want %d; printed\n%swant %q", status, tt.status, out, tt.want)
		}
	}
	b.terminate(t)
}

// Over TLS, send trusts the authority that it is given, and shows its certificate.
func TestSend_TLS(t *testing.T) {
	sec := newSecureConfig(t)
	l := delivertest.New(t, nil)
	b := startServing(t, sec.service, forward(l.URL, ""))
	other := changetest.NewAuthority(t).WriteCA(t, filepath.Join(sec.folder, "other.crt"))
	ca := filepath.Join(sec.folder, "ca.crt")
	cert, key := sec.renew(t, "sender", "sender")
	for _, tt := range []struct {
		name string
		args []string
		err  string
	}{
		{"with a certificate", []string{"-tls-ca", ca, "-tls-cert", cert, "-tls-key", key}, ""},
		{"with a name", []string{"-tls-ca", ca, "-tls-cert", cert, "-tls-key", key, "-tls-server-name", "127.0.0.1"}, ""},
		{"with another name", []string{"-tls-ca", ca, "-tls-cert", cert, "-tls-key", key, "-tls-server-name", "db"}, `not for one of ["db"]; check that it is a port for TLS, and the -tls flags`},
		{"with another authority", []string{"-tls-ca", other, "-tls-cert", cert, "-tls-key", key}, "certificate signed by unknown authority"},
		{"with the authorities of the system", []string{"-tls", "-tls-cert", cert, "-tls-key", key}, "certificate signed by unknown authority"},
		{"without a certificate", []string{"-tls-ca", ca}, "the connection ended before every reply came"},
		{"without its key", []string{"-tls-ca", ca, "-tls-cert", cert}, "a certificate needs its key, and the reverse; name both files"},
		{"in clear text", nil, "expect TLS (-tls-ca)"},
		{"without the file", []string{"-tls-ca", filepath.Join(sec.folder, "none.crt")}, "none.crt: no such file or directory"},
	} {
		out, err := sendFile(t, oneChange, append([]string{"-to", b.xdr}, tt.args...)...)
		if tt.err == "" && (err != nil || !strings.Contains(out, "code 0: done")) || tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
			t.Errorf("%s: printed %q, error %v, want %q", tt.name, out, err, tt.err)
		}
	}
	b.terminate(t)
}

// TLS to a port for clear text ends with advice.
func TestSend_TLSToClearText(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startBinary(t, 0, forward(l.URL, ""))
	if _, err := sendFile(t, oneChange, "-to", b.xdr, "-tls"); err == nil || !strings.Contains(err.Error(), "check that it is a port for TLS, and the -tls flags") {
		t.Errorf("error %v", err)
	}
	b.terminate(t)
}

// A connector that does not allow the sender closes the connection.
func TestSend_notAllowed(t *testing.T) {
	l := delivertest.New(t, nil)
	b := startServing(t, "port: 0, address: 127.0.0.1, allow: 10.0.0.0/8", forward(l.URL, ""))
	out, err := sendFile(t, oneChange, "-to", b.xdr)
	if err == nil || !strings.Contains(err.Error(), "the connection ended before every reply came") || !strings.Contains(err.Error(), "service.allow") || !strings.Contains(out, "no reply: the database ships it again\n") {
		t.Errorf("printed %q, error %v", out, err)
	}
	b.terminate(t)
}

// receiver is a server that answers the connections on it.
func receiver(t *testing.T, answer func(conn net.Conn)) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				answer(conn)
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); serving.Wait() })
	return l.Addr().String()
}

// answerWith returns an answer that reads each request and writes the next of replies, and
// then closes the connection.
func answerWith(replies ...[]byte) func(net.Conn) {
	return func(conn net.Conn) {
		requests := xdr.NewReader(conn, 0)
		for _, r := range replies {
			if _, err := requests.Next(); err != nil {
				return
			}
			if _, err := conn.Write(r); err != nil {
				return
			}
		}
	}
}

func repliesOf(list ...xdr.Code) (replies [][]byte) {
	for _, c := range list {
		replies = append(replies, xdr.AppendReply(nil, c))
	}
	return replies
}

// Each reply is printed with what the database does after it, as text and as JSON.
func TestSend_codes(t *testing.T) {
	address := receiver(t, answerWith(repliesOf(0, 2, 18, 11, 4, 255)...))
	text := strings.Repeat(oneChange, 6)
	out, err := sendFile(t, text, "-to", address)
	var got []string
	for line := range strings.Lines(out) {
		_, after, _ := strings.Cut(line, "=  ")
		reply, _, _ := strings.Cut(after, ", after ")
		got = append(got, reply)
	}
	want := []string{"code 0: done", "code 2: done", "code 18: the database ships it again", "code 11: the database ships it again", "code 4: the database abandons it", "code 255: the database abandons it"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err == nil || err.Error() != "connector send: 4 of 6 changes not done: 2 to be shipped again, 2 abandoned; the connector's log says why" {
		t.Errorf("error %v", err)
	}
	out, _ = sendFile(t, text+oneChange, "-to", address, "-o", "json")
	var outcomes []string
	for line := range strings.Lines(out) {
		var o struct {
			Namespace, Set, Digest, Op, Outcome string
			Generation                          uint32
			LUT                                 int64
			Code                                *int
			Milliseconds                        *float64
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, o.Outcome)
		if o.Namespace != "test" || o.Set != "users" || o.Op != "write" || len(o.Digest) != 28 || o.Generation != uint32(len(outcomes)) || o.LUT == 0 ||
			(o.Code == nil) != (o.Outcome == "no-reply") || (o.Milliseconds == nil) != (o.Outcome == "no-reply") {
			t.Errorf("%s", line)
		}
	}
	if diff := cmp.Diff([]string{"done", "done", "retry", "retry", "abandoned", "abandoned", "no-reply"}, outcomes); diff != "" {
		t.Error(diff)
	}
}

// What is not a reply ends the exchange, with advice; the changes that had their reply keep it.
func TestSend_hostileReplies(t *testing.T) {
	ok := xdr.AppendReply(nil, xdr.OK)
	huge := []byte{2, 3, 0, 0, 7, 255, 255, 255}
	for _, tt := range []struct {
		name  string
		bytes []byte // instead of the second reply
		want  string
	}{
		{"nothing", nil, "the connection ended before every reply came: "},
		{"half a reply", ok[:13], "the connection ended before every reply came: unexpected EOF"},
		{"HTTP", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), "the reply is not XDR's: xdr message: bad-proto-version at byte 0: an HTTP response, not XDR; check that -to is the XDR port"},
		{"garbage", bytes.Repeat([]byte{0xff}, 100), "the reply is not XDR's: "},
		{"a reply of 128 MiB", append(huge, bytes.Repeat([]byte{0}, 8<<10)...), "the connection ended before every reply came: "},
		{"a reply of more than 128 MiB", []byte{2, 3, 255, 255, 255, 255, 255, 255}, "the reply is not XDR's: "},
		{"a reply without a header", []byte{2, 3, 0, 0, 0, 0, 0, 1, 22}, "xdr reply of type 3 and 9 bytes"},
		{"a compressed reply", append([]byte{2, 4, 0, 0, 0, 0, 0, 30}, make([]byte, 30)...), "xdr reply of type 4 and 38 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := receiver(t, answerWith(ok, tt.bytes))
			out, err := sendFile(t, strings.Repeat(oneChange, 3), "-to", address)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "2 of 3 changes not done: 2 without a reply") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if strings.Count(out, "code 0: done") != 1 || strings.Count(out, "no reply") != 2 {
				t.Errorf("printed\n%s", out)
			}
		})
	}
}

// hang reads all that comes, and never answers.
func hang(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

func TestSend_noReplyInTime(t *testing.T) {
	address := receiver(t, hang)
	out, err := sendFile(t, oneChange, "-to", address, "-timeout", "50ms")
	if err == nil || !strings.Contains(err.Error(), "no reply within 50ms; check that it is a connector, or wait longer with -timeout") || !strings.Contains(out, "no reply: the database ships it again") {
		t.Errorf("printed %q, error %v", out, err)
	}
}

// A receiver that takes no more bytes does not block send for ever.
func TestSend_notRead(t *testing.T) {
	release := make(chan struct{})
	address := receiver(t, func(net.Conn) { <-release })
	defer close(release)
	large := strings.Replace(oneChange, `{"name":"age","type":"int","value":27}`, `{"name":"text","type":"str","value":"`+strings.Repeat("x", 1<<20)+`"}`, 1)
	if _, err := sendFile(t, strings.Repeat(large, 20), "-to", address, "-timeout", "100ms"); err == nil || !strings.Contains(err.Error(), "20 of 20 changes not done: 20 without a reply") {
		t.Errorf("error %v", err)
	}
}

func TestSend_interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := receiver(t, func(conn net.Conn) { cancel(); hang(conn) })
	path := filepath.Join(t.TempDir(), "changes.json")
	write(t, path, []byte(oneChange))
	err := run(ctx, []string{"send", "-to", address, path}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "interrupted") && !strings.Contains(err.Error(), "operation was canceled") {
		t.Errorf("error %v", err)
	}
}

// failingWriter is standard output that is closed.
type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("closed output") }

func TestSend_outputClosed(t *testing.T) {
	address := receiver(t, answerWith(repliesOf(0, 0, 0)...))
	path := filepath.Join(t.TempDir(), "changes.json")
	write(t, path, []byte(strings.Repeat(oneChange, 3)))
	if err := run(t.Context(), []string{"send", "-to", address, path}, failingWriter{}, io.Discard); err == nil || !strings.Contains(err.Error(), "closed output") {
		t.Errorf("error %v", err)
	}
}

// More changes than fit in the window are all sent, and every reply belongs to its change.
func TestSend_manyChanges(t *testing.T) {
	const n = 5*window + 7
	address := receiver(t, func(conn net.Conn) {
		requests := xdr.NewReader(conn, 0)
		d := xdr.NewDecoder(0, time.Now)
		var c change.Change
		for {
			f, err := requests.Next()
			if err != nil || d.Decode(f, &c) != nil {
				return
			}
			if _, err := conn.Write(xdr.AppendReply(nil, xdr.Code(c.Key.Integer()%3))); err != nil {
				return
			}
		}
	})
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, `{"msg":"write","key":["test",null,null,%d]}`+"\n", i)
	}
	out, err := sendFile(t, text.String(), "-to", address)
	if err == nil {
		t.Error("abandoned changes are no error")
	}
	i := 0
	for line := range strings.Lines(out) {
		if want := fmt.Sprintf("  code %d: ", i%3); !strings.Contains(line, want) {
			t.Fatalf("line %d: %q, want %q", i, line, want)
		}
		i++
	}
	if i != n {
		t.Errorf("%d replies, want %d", i, n)
	}
}

// Nothing is sent unless every change can be. The error says where and what to do, and has no
// data of the record.
func TestSend_badInput(t *testing.T) {
	address := receiver(t, func(net.Conn) { t.Error("a connection was made") })
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for _, tt := range []struct {
		name, text string
		want       string
	}{
		{"empty", " \n", `changes.json has no change; write one as JSON, for example {"msg":"write","key":["shop"`},
		{"not JSON", oneChange + "\nsecret", "changes.json: line 2: byte 97: not JSON; correct it"},
		{"not an object", `["secret"]`, "changes.json: line 1: byte "},
		{"second line", oneChange + "\n" + `{"msg":"secret","key":["test",null,null,1]}`, `changes.json: line 2: byte 104: "msg" is neither "write" nor "delete"; correct it: nothing was sent`},
		{"no user key", `{"msg":"write","key":["test",null,null,null]}`, "neither a digest nor a user key that a digest can be computed from"},
		{"neither format", `{"msg":"write","bins":[{"name":"secret"}]}`, `neither JSON (no member "key") nor flat JSON (no object "metadata")`},
		{"an integer beyond 64 bits", `{"msg":"write","key":["test",null,null,1],"bins":[{"name":"secret","type":"int","value":9223372036854775808}]}`, "is not the value of a bin"},
		{"a bin name that is too long", `{"msg":"write","key":["test",null,null,1],"bins":[{"name":"` + strings.Repeat("n", 256) + `","type":"int","value":1}]}`, "name of 256 bytes"},
		{"a time before 2010", `{"msg":"write","key":["test",null,null,1],"lut":1,"bins":[]}`, "last update time 1 is not in milliseconds"},
		{"two bins of one name", `{"msg":"write","key":["test",null,null,1],"bins":[{"name":"a","type":"int","value":1},{"name":"a","type":"int","value":1}]}`, "two bins are named"},
		{"too deep", `{"msg":"write","key":["test",null,null,1],"bins":[{"name":"a","type":"list","value":` + deep + `}]}`, "nest deeper than"},
		{"compressed", "\x1f\x8b\x08secret", "changes.json: line 1: byte 0: "},
	} {
		out, err := sendFile(t, tt.text, "-to", address)
		if err == nil || !strings.Contains(err.Error(), tt.want) || out != "" {
			t.Errorf("%s: printed %q, error %v, want %q", tt.name, out, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error has data: %v", tt.name, err)
		}
	}
}

func TestSend_badFlags(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // nothing listens there
	for args, want := range map[string]string{
		"-to localhost":                      "-to localhost: want HOST:PORT, for example localhost:8901; run",
		"-to :8901":                          "-to :8901: want HOST:PORT",
		"-timeout 0s":                        "-timeout 0s: want more than 0, for example 10s; run",
		"-timeout 10":                        `invalid value "10" for flag -timeout`,
		"-o yaml":                            "-o yaml: want text or json; run",
		"-to " + l.Addr().String():           "connection refused; check -to, and that a connector runs there",
		"-to " + l.Addr().String() + " -tls": "connection refused; check -to, and that a connector runs there",
	} {
		if _, err := sendFile(t, oneChange, strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("connector send %s: error %v, want %q", args, err, want)
		}
	}
	if err := run(t.Context(), []string{"send", filepath.Join(t.TempDir(), "none.json")}, io.Discard, io.Discard); err == nil || !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "name another file, or - for standard input") {
		t.Errorf("error %v", err)
	}
}

// Every change that JSON can express is sent as it is.
func TestSend_anyChange(t *testing.T) {
	options := sendOptions{metadataKey: "metadata"}
	rapid.Check(t, func(t *rapid.T) {
		want := changetest.Arbitrary{Text: true}.Change(t)
		text, err := formatjson.Format{}.Append(nil, &want)
		if err != nil {
			t.Fatal(err)
		}
		requests, err := options.readRequests("changes.json", bytes.NewReader(text))
		if err != nil || len(requests) != 1 {
			t.Fatalf("%d requests, error %v", len(requests), err)
		}
		var got change.Change
		if err := xdr.NewDecoder(0, time.Now).Decode(requests[0].frame, &got); err != nil {
			t.Fatal(err)
		}
		if limit := time.Now().Unix() + 1; want.Expiry > 0 && (want.Expiry <= limit && got.Expiry <= limit || max(got.Expiry-want.Expiry, want.Expiry-got.Expiry) <= 1) {
			got.Expiry = want.Expiry // XDR has the seconds that are left, at least one
		}
		again, err := formatjson.Format{}.Append(nil, &got)
		if err != nil || !bytes.Equal(text, again) {
			t.Fatalf("sent %s, error %v, of %s", again, err, text)
		}
	})
}

// Whatever a receiver answers, each change has one outcome, and there is an error unless every
// reply came.
func FuzzSender(f *testing.F) {
	f.Add(bytes.Join(repliesOf(0, 18), nil))
	f.Add([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
	f.Add([]byte{2, 3, 0, 0, 0, 0, 255, 255})
	var requests []request
	for i := range 2 {
		c := change.Change{Namespace: "test", Digest: digest(i)}
		frame, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
		if err != nil {
			f.Fatal(err)
		}
		requests = append(requests, request{c, frame})
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		here, there := net.Pipe()
		var serving sync.WaitGroup
		serving.Go(func() { hang(there) })
		serving.Go(func() { _, _ = there.Write(answer); _ = there.Close() })
		s := sender{conn: here, timeout: 10 * time.Second}
		var outcomes []outcome
		err := s.send(t.Context(), requests, func(r reply) error { outcomes = append(outcomes, r.outcome()); return nil })
		serving.Wait()
		if len(outcomes) != len(requests) || (err == nil) != (outcomes[len(outcomes)-1] != noReply) {
			t.Errorf("%v, error %v", outcomes, err)
		}
	})
}
