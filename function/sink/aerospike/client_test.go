package aerospike

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	as "github.com/aerospike/aerospike-client-go/v7"
	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
)

// spec returns the Spec of a URL whose sink has two seconds for all it does.
func spec(t testing.TB, url string) sink.Spec {
	t.Helper()
	s, err := registry.Parse(url, sink.Options{Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wantError checks that opening and probing fail, and what the error says.
func wantError(t *testing.T, s sink.Spec, want ...string) {
	t.Helper()
	opened, err := s.Open(t.Context())
	if err == nil {
		_ = opened.Close()
	}
	for name, err := range map[string]error{"open": err, "probe": s.Probe(t.Context())} {
		if err == nil {
			t.Errorf("%s %s: no error", name, s)
			continue
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s %s: error %q, want one that says %q", name, s, err, part)
			}
		}
		if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "ResultCode") {
			t.Errorf("%s %s: error %q", name, s, err)
		}
	}
}

func TestOpen_refused(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantError(t, spec(t, "aerospike://"+address+"/test?mode=records"), "connect to Aerospike at "+address, "connection refused", "check the address")
}

// A server that accepts and says nothing costs no more than the time of the context.
func TestOpen_silentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if opened, err := spec(t, "aerospike://"+l.Addr().String()+"/test?mode=records").Open(ctx); err == nil {
		_ = opened.Close()
		t.Fatal("no error")
	}
	cancelled, cancelNow := context.WithCancel(t.Context())
	cancelNow()
	if _, err := spec(t, "aerospike://"+l.Addr().String()+"/test?mode=records").Open(cancelled); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("with a cancelled context: %v", err)
	}
}

func TestOpen_noAerospike(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			_ = conn.Close()
		}
	}()
	wantError(t, spec(t, "aerospike://"+l.Addr().String()+"/test?mode=records"), "connect to Aerospike at "+l.Addr().String())
}

func TestOpen_unknownNamespace(t *testing.T) {
	n := node(t, devnode.Config{})
	wantError(t, spec(t, "aerospike://"+n.Addr()+"/tset?mode=records"), "has no namespace tset, only", "test", "check the URL")
}

// One host of several is enough.
func TestOpen_severalHosts(t *testing.T) {
	n := node(t, devnode.Config{})
	s, err := spec(t, "aerospike://127.0.0.1:1,"+n.Addr()+"/test?mode=records").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store(t, s, written(1))
}

// A server without security refuses a login with code 51.
func TestOpen_loginRefused(t *testing.T) {
	n := node(t, devnode.Config{})
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantError(t, spec(t, "aerospike://"+n.Addr()+"/test?mode=records&user=u&password-file="+path), "code 51", "leave out user and password-file")
	wantError(t, spec(t, "aerospike://"+n.Addr()+"/test?mode=records&user=u&password-file=/nonexistent"), "read the password", "/nonexistent")
}

// proxy serves TLS before a node, and returns its address. It answers the one question that
// only the Enterprise Edition does, which has TLS: where the other nodes are.
func proxy(t *testing.T, n *devnode.Node, config *tls.Config) string {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				inner, err := net.Dial("tcp", n.Addr())
				if err != nil {
					return
				}
				defer inner.Close()
				go func() { _, _ = io.Copy(conn, inner) }()
				for forward(conn, inner) == nil {
				}
			}()
		}
	}()
	return l.Addr().String()
}

// forward forwards a message from a client to a node, or answers it.
func forward(client, node net.Conn) error {
	const header, info = 8, 1
	message := make([]byte, header)
	if _, err := io.ReadFull(client, message); err != nil {
		return err
	}
	size := binary.BigEndian.Uint64(message) & (1<<48 - 1)
	message = append(message, make([]byte, size)...)
	if _, err := io.ReadFull(client, message[header:]); err != nil {
		return err
	}
	if message[1] == info && string(message[header:]) == "peers-tls-std\n" {
		answer := binary.BigEndian.AppendUint64(nil, 2<<56|info<<48|uint64(len(tlsPeers)))
		_, err := client.Write(append(answer, tlsPeers...))
		return err
	}
	_, err := node.Write(message)
	return err
}

const tlsPeers = "peers-tls-std\t0,4333,[]\n"

func TestOpen_tls(t *testing.T) {
	n := node(t, devnode.Config{})
	folder, ours, other := t.TempDir(), changetest.NewAuthority(t), changetest.NewAuthority(t)
	soon := time.Now().Add(time.Hour)
	ca, otherCA := ours.WriteCA(t, filepath.Join(folder, "ca.crt")), other.WriteCA(t, filepath.Join(folder, "other-ca.crt"))
	cert, key := ours.Issue(t, "db.example", soon)
	clientCert, clientKey := ours.Write(t, folder, "client", "sink", soon)
	pool := ours.Pool()
	config := &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	mutual := config.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, pool
	address, mutualAddress := proxy(t, n, config), proxy(t, n, mutual)
	base, mutualBase := "aerospike://"+address+"/test?mode=records", "aerospike://"+mutualAddress+"/test?mode=records"

	for _, url := range []string{
		base + "&tls=on&tls-name=db.example&ca-file=" + ca,
		mutualBase + "&tls=on&tls-name=db.example&ca-file=" + ca + "&cert-file=" + clientCert + "&key-file=" + clientKey,
	} {
		s, err := spec(t, url).Open(t.Context())
		if err != nil {
			t.Error(err)
			continue
		}
		store(t, s, written(1))
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	for url, want := range map[string]string{
		base: "connect to Aerospike at",
		base + "&tls=on&tls-name=db.example&ca-file=" + otherCA:     "unknown authority",
		base + "&tls=on&tls-name=db.example":                        "unknown authority",
		base + "&tls=on&tls-name=evil.example&ca-file=" + ca:        "not evil.example",
		base + "&tls=on&ca-file=" + ca:                              "127.0.0.1",
		mutualBase + "&tls=on&tls-name=db.example&ca-file=" + ca:    "certificate required",
		base + "&tls=on&tls-name=db.example&ca-file=/nonexistent/a": "/nonexistent/a",
		"aerospike://" + n.Addr() + "/test?mode=records&tls=on":     "check the address, the firewall, and that tls= is as the server has it",
	} {
		wantError(t, spec(t, url), want)
	}
}

// The rows of a batch that has had no answer may have been carried out, whatever the client
// says of each.
func TestBatch_noAnswer(t *testing.T) {
	drop := func(c devnode.Command) devnode.Fault { return devnode.Fault{DropAfter: c.Kind == devnode.Batch} }
	n := node(t, devnode.Config{Fault: drop})
	c := connected(t, n)
	errs := c.Batch(t.Context(), []as.BatchRecordIfc{writeOf(c, 1), writeOf(c, 2)})
	for i := range 2 {
		err, e := errAt(errs, i), (*resultError)(nil)
		if !errors.As(err, &e) || change.IsPermanent(err) || !e.inDoubt || !strings.Contains(err.Error(), "may have been carried out") {
			t.Errorf("row %d: %v", i, err)
		}
	}
}

func connected(t testing.TB, n *devnode.Node) *Client {
	t.Helper()
	return connectedTo(t, n.Addr())
}

func connectedTo(t testing.TB, address string) *Client {
	t.Helper()
	u, err := sink.ParseURL("aerospike://" + address + "/test")
	if err != nil {
		t.Fatal(err)
	}
	q := sink.NewQuery(u)
	cluster := ParseCluster(u, q, 2*time.Second)
	c, err := cluster.Dial(t.Context())
	if err != nil || q.End() != nil {
		t.Fatal(err, q.End())
	}
	t.Cleanup(c.Close)
	return c
}

func writeOf(c *Client, i byte) *as.BatchWrite {
	return as.NewBatchWrite(nil, c.cluster.key(testSet, change.Digest{i}, nil), as.PutOp(as.NewBin("i", int64(i))))
}

// One row for which a server ends a batch does not cost the others.
func TestBatch_endedByOneRow(t *testing.T) {
	ends := func(c devnode.Command) devnode.Fault {
		if c.Kind == devnode.Batch && c.Rows > 1 || c.Set == "bad" {
			return devnode.Fault{Code: devnode.Code(types.PARAMETER_ERROR)}
		}
		return devnode.Fault{}
	}
	c := connected(t, node(t, devnode.Config{Fault: ends}))
	bad := as.NewBatchWrite(nil, c.cluster.key("bad", change.Digest{3}, nil), as.PutOp(as.NewBin("i", 3)))
	errs := c.Batch(t.Context(), []as.BatchRecordIfc{writeOf(c, 1), bad, writeOf(c, 2)})
	if errAt(errs, 0) != nil || errAt(errs, 2) != nil {
		t.Errorf("the others: %v, %v", errAt(errs, 0), errAt(errs, 2))
	}
	if err := errAt(errs, 1); !change.IsPermanent(err) || code(err) != types.PARAMETER_ERROR {
		t.Errorf("the bad row: %v", err)
	}
}

// A row that has no answer of its own, when a server has ended the batch, may be tried again.
func TestBatch_endedAndNoAnswer(t *testing.T) {
	fault := func(c devnode.Command) devnode.Fault {
		if c.Kind == devnode.Batch && c.Rows > 1 {
			return devnode.Fault{Code: devnode.Code(types.PARAMETER_ERROR)}
		}
		return devnode.Fault{DropAfter: c.Kind != devnode.Info}
	}
	c := connected(t, node(t, devnode.Config{Fault: fault}))
	errs := c.Batch(t.Context(), []as.BatchRecordIfc{writeOf(c, 1), writeOf(c, 2)})
	for i := range 2 {
		err, e := errAt(errs, i), (*resultError)(nil)
		if !errors.As(err, &e) || change.IsPermanent(err) || !e.inDoubt {
			t.Errorf("row %d: %v", i, err)
		}
	}
}

// The rows of a batch that a server has ended take no longer than the context.
func TestBatch_endedAndSilent(t *testing.T) {
	release := make(chan struct{})
	var asked atomic.Int32
	fault := func(c devnode.Command) devnode.Fault {
		if c.Kind == devnode.Batch && c.Rows > 1 {
			return devnode.Fault{Code: devnode.Code(types.PARAMETER_ERROR)}
		}
		if c.Kind != devnode.Info {
			asked.Add(1)
			<-release
		}
		return devnode.Fault{}
	}
	c := connected(t, node(t, devnode.Config{Fault: fault}))
	t.Cleanup(func() { close(release) }) // before the node closes
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	errs := c.Batch(ctx, []as.BatchRecordIfc{writeOf(c, 1), writeOf(c, 2), writeOf(c, 3)})
	for i := range 3 {
		if err := errAt(errs, i); err == nil || change.IsPermanent(err) {
			t.Errorf("row %d: %v", i, err)
		}
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("%d rows asked; the first has taken all the time", n)
	}
}

// Read has a record for each key, and an error for each that has one.
func TestRead(t *testing.T) {
	busy := false
	fault := func(c devnode.Command) devnode.Fault {
		if busy && c.Kind == devnode.Batch {
			return devnode.Fault{Rows: map[int]devnode.Code{1: devnode.Code(types.PARTITION_UNAVAILABLE)}}
		}
		return devnode.Fault{}
	}
	c := connected(t, node(t, devnode.Config{Fault: fault}))
	if errs := c.Batch(t.Context(), []as.BatchRecordIfc{writeOf(c, 1), writeOf(c, 2)}); errs != nil {
		t.Fatal(errs)
	}
	keys := []*as.Key{writeOf(c, 1).Key, writeOf(c, 2).Key, writeOf(c, 3).Key}
	records, errs := c.Read(t.Context(), keys)
	if errs != nil || records[0].Bins["i"] != 1 || records[1].Bins["i"] != 2 || records[2] != nil {
		t.Errorf("%v, %v", records, errs)
	}
	busy = true
	records, errs = c.Read(t.Context(), keys)
	if errs[0] != nil || code(errs[1]) != types.PARTITION_UNAVAILABLE || errs[2] != nil || records[0].Bins["i"] != 1 || records[1] != nil || records[2] != nil {
		t.Errorf("%v, %v", records, errs)
	}
}
