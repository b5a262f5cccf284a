package xdr_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/xdr"
)

// The error of a stream that is another protocol says which.
func TestReader_otherProtocol(t *testing.T) {
	for _, tt := range []struct {
		stream string
		kind   xdr.ErrorKind
		want   string
	}{
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", xdr.BadProtoVersion, "at byte 0: a TLS handshake, not XDR"},
		{"GET / HTTP/1.1\r\n", xdr.BadProtoVersion, "at byte 0: an HTTP request, not XDR"},
		{"POST /changes HTTP/1.1\r\n", xdr.BadProtoVersion, "an HTTP request"},
		{"OPTIONS * HTTP/1.1\r\n", xdr.BadProtoVersion, "an HTTP request"},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", xdr.BadProtoVersion, "a connection of HTTP/2"},
		{"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", xdr.BadProtoVersion, "the PROXY protocol"},
		{"\r\n\r\n\x00\r\nQUIT\n", xdr.BadProtoVersion, "the PROXY protocol"},
		{"SSH-2.0-OpenSSH_9.2\r\n", xdr.BadProtoVersion, "SSH"},
		{"\x02\x01\x00\x00\x00\x00\x00\x06build\n", xdr.BadProtoType, "at byte 1: an info request of Aerospike"},
		{"\x02\x02\x00\x00\x00\x00\x00\x10................", xdr.BadProtoType, "a login of an Aerospike client"},
		{"HTTP/1.1 400 Bad Request\r\n", xdr.BadProtoVersion, "at byte 0: an HTTP response, not XDR"},
		{"GETTING SOMEWHERE", xdr.BadProtoVersion, "at byte 0: version 71, want 2"},
		{"\x02\x07\x00\x00\x00\x00\x00\x00", xdr.BadProtoType, "at byte 1: type 7, want 3 or 4"},
	} {
		_, err := xdr.NewReader(bytes.NewReader([]byte(tt.stream)), 0).Next()
		if e, ok := asError(err); !ok || e.Kind != tt.kind || !e.Framing() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.8q: error %v, want %s, %q", tt.stream, err, tt.kind, tt.want)
		}
	}
}

func TestGuess_short(t *testing.T) {
	for head, want := range map[string]string{"": "", "G": "", "GET": "", "GET ": "an HTTP request", "OPTIO": "an HTTP request", "\x02\x03\x00\x00\x00": "XDR in clear text", "\x02\x05\x00": ""} {
		if got := xdr.Guess([]byte(head)); got != want {
			t.Errorf("%q: %q, want %q", head, got, want)
		}
	}
}
