package xdr

import "strings"

// Guess returns what a stream is that begins with head, in a few words: other protocols that
// are sent to the port of a receiver by mistake, or XDR itself. It returns "" if it does not
// know. Eight bytes are enough.
func Guess(head []byte) string {
	text := string(head)
	for _, g := range []struct {
		prefix, meaning string
	}{
		{"\x02\x03\x00", "XDR in clear text"},
		{"\x02\x04\x00", "XDR in clear text"},
		{"\x02\x01\x00", "an info request of Aerospike, as nodes send to a destination without connector true"},
		{"\x02\x02\x00", "a login of an Aerospike client"},
		{"\x16\x03", "a TLS handshake"},
		{"HTTP/1.", "an HTTP response"},
		{"PRI * HT", "a connection of HTTP/2"},
		{"PROXY ", "a header of the PROXY protocol, which a load balancer adds"},
		{"\r\n\r\n\x00\r\n", "a header of the PROXY protocol, which a load balancer adds"},
		{"SSH-", "a connection of SSH"},
	} {
		if strings.HasPrefix(text, g.prefix) {
			return g.meaning
		}
	}
	for _, method := range []string{"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "TRACE "} {
		if prefix := method[:min(len(method), len(text))]; len(prefix) >= 4 && strings.HasPrefix(text, prefix) {
			return "an HTTP request"
		}
	}
	return ""
}
