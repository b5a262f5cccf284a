package xdrtest_test

import (
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// info sends commands in one request and returns the response.
func info(t *testing.T, conn net.Conn, commands ...string) string {
	t.Helper()
	text := strings.Join(commands, "\n") + "\n"
	request := binary.BigEndian.AppendUint64(nil, 0x0201<<48|uint64(len(text)))
	if _, err := conn.Write(append(request, text...)); err != nil {
		t.Fatal(err)
	}
	var header [8]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, binary.BigEndian.Uint64(header[:])-0x0201<<48)
	if _, err := io.ReadFull(conn, answer); err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func serveInfo(t *testing.T, s *xdrtest.Source) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- (&xdrtest.Info{Source: s}).Serve(l) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// A data centre of a connector is set up with the commands that Aerospike's own tool sends.
func TestInfo_dataCentre(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String()}
	running(t, s)
	s.Write(user(1, integer("a", 1)))
	settle(t, s)
	conn, err := net.Dial("tcp", serveInfo(t, s))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const dc = "context=xdr;dc=D"
	for _, tt := range []struct{ command, result string }{
		{"set-config:" + dc + ";connector=true", "ERROR:4:no such DC"},
		{"set-config:" + dc + ";action=create", "ok"},
		{"set-config:" + dc + ";action=create", "ERROR:4:DC exists, or its name is not valid"},
		{"set-config:context=xdr;dc=a.b;action=create", "ERROR:4:DC exists, or its name is not valid"},
		{"set-config:" + dc + ";connector=true", "ok"},
		{"set-config:" + dc + ";node-address-port=10.0.0.1:8901;action=add", "ok"},
		{"set-config:" + dc + ";namespace=test;max-throughput=100", "ok"},
		{"set-config:" + dc + ";namespace=test;action=add;rewind=all", "ok"},
		{"set-config:" + dc + ";wat=1", "ERROR:4:unknown parameter"},
		{"get-config:context=xdr", "dcs=D"},
		{"get-config:" + dc, "connector=true;node-address-port=10.0.0.1:8901;namespaces=test"},
		{"get-config:" + dc + ";namespace=test", "max-throughput=100;rewind=all"},
		{"get-config:context=xdr;dc=E", "ERROR:4:no such DC"},
		{"get-stats:" + dc + ";namespace=other", "ERROR:4:no such DC or namespace"},
		{"get-config:context=service", "ERROR:4:context is not xdr"},
		{"namespaces:context=xdr", "ERROR:4:unrecognized command"},
	} {
		if diff := cmp.Diff(tt.command+"\t"+tt.result+"\n", info(t, conn, tt.command)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	settle(t, s)
	stats := info(t, conn, "get-stats:"+dc+";namespace=test", "set-config:"+dc+";action=delete")
	if !strings.Contains(stats, "lag=0;in_queue=0;in_progress=0;success=2;abandoned=0;") || !strings.HasSuffix(stats, "action=delete\tok\n") {
		t.Errorf("%s", stats)
	}
}

// A source that ships by itself does not take commands for other connectors.
func TestInfo_ownDataCentre(t *testing.T) {
	i := &xdrtest.Info{Source: &xdrtest.Source{Address: "127.0.0.1:8901"}, DC: "own", Namespaces: []string{"test"}}
	const others = "ERROR:4:this node ships to the connectors that it was started with, as the DC own, and to no others"
	for _, tt := range []struct{ command, result string }{
		{"set-config:context=xdr;dc=two;action=create", others},
		{"set-config:context=xdr;dc=two;namespace=test;action=add", others},
		{"set-config:context=xdr;dc=own;node-address-port=127.0.0.1:9;action=add", others},
		{"set-config:context=xdr;dc=own;action=delete", others},
		{"set-config:context=xdr;dc=own;namespace=test;action=xyz", "ERROR:4:action is neither add nor remove"},
		{"set-config:context=xdr;dc=own;namespace=test;action=add;rewind=all", "ok"},
		{"get-config:context=xdr", "dcs=own"},
		{"get-config:context=xdr;dc=own", "connector=true;node-address-port=127.0.0.1:8901;namespaces=test"},
	} {
		if got := i.Do(tt.command); got != tt.result {
			t.Errorf("%s: %s, want %s", tt.command, got, tt.result)
		}
	}
}

// Something other than an info request ends the connection.
func TestInfo_malformed(t *testing.T) {
	address := serveInfo(t, &xdrtest.Source{})
	for _, request := range []string{"GET / HTTP/1.1\r\n\r\n", "\x02\x03\x00\x00\x00\x00\x00\x16", "\x02\x01\x00\x00\xff\xff\xff\xff"} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, request); err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, conn); n > 0 || err != nil && !strings.Contains(err.Error(), "reset") {
			t.Errorf("%q: %d bytes, %v", request, n, err)
		}
		conn.Close()
	}
}
