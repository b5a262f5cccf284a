package main

import (
	"fmt"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// messageOf returns a message with a body of size bytes, which writes the i-th record.
func messageOf(t *testing.T, i, size int) (xdr.Frame, xdrtest.Version) {
	t.Helper()
	c := user(users, i)
	c.Mode, c.Generation, c.LUT = change.Replace, 1, changetest.Receipt.UnixMilli()
	message := func(blob int) xdr.Frame {
		c.Bins = []change.Bin{{Name: "blob", Value: change.BytesValue(change.KindBlob, make([]byte, blob))}}
		f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	const header = 8
	return message(size - (len(message(0)) - header)), xdrtest.VersionOf(&c)
}

// A message of the largest size is delivered. One that is a byte larger gets a retry reply,
// and the next one on the connection is delivered.
func TestBinary_largestMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		service string
		limit   int // bytes of a message's body
	}{
		"default":         {"", xdr.DefaultLimit},
		"128 MiB, less 1": {fmt.Sprintf(", max-message-bytes: %d", xdr.MaxSize-1), xdr.MaxSize - 1},
	} {
		t.Run(name, func(t *testing.T) {
			if changetest.Raced && tt.limit > xdr.DefaultLimit {
				t.Skip("under the race detector 128 MiB take longer than XDR waits")
			}
			l := delivertest.New(t, nil)
			config := fmt.Sprintf("destinations: {one: {urls: [%q], protocol: HTTP_1_1, call-timeout: 9s, health-check: {enabled: false}}}\n", l.URL) + static + "format: xdr\n"
			b := startServing(t, "port: 0, address: 127.0.0.1"+tt.service, config)
			largest, version := messageOf(t, 1, tt.limit)
			over, _ := messageOf(t, 2, tt.limit+1)
			conn := dial(t, b.xdr)
			replies := xdr.NewReader(conn, 0)
			send := func(f xdr.Frame) xdr.Code {
				if _, err := conn.Write(f); err != nil {
					t.Fatal(err)
				}
				reply, err := replies.Next()
				if err != nil {
					t.Fatal(err)
				}
				code, err := xdr.ParseReply(reply)
				if err != nil {
					t.Fatal(err)
				}
				return code
			}
			for send(largest) != xdr.OK { // a busy machine may need several attempts
			}
			if tooLarge, next := send(over), send(frame(t, 3)); tooLarge != xdr.Retry || next != xdr.OK {
				t.Errorf("replies %d and %d", tooLarge, next)
			}
			if n := l.Counts().Accepted; n < 2 || !l.Has(version) {
				t.Errorf("%d changes at the destination", n)
			}
			b.terminate(t)
		})
	}
}
