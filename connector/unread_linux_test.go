package connector

import (
	"net"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// The system says how many bytes wait to be read.
func TestUnreadOf(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	there, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	here, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	unread := unreadOf(here)
	if n := unread(); n != 0 {
		t.Errorf("%d bytes unread before any was sent", n)
	}
	if _, err := there.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	changetest.WaitFor(t, "1000 unread bytes", func() bool { return unread() == 1000 })
	if _, err := here.Read(make([]byte, 400)); err != nil {
		t.Fatal(err)
	}
	if n := unread(); n != 600 {
		t.Errorf("%d bytes unread, want 600", n)
	}
	here.Close()
	if n := unread(); n != 0 {
		t.Errorf("%d bytes unread of a closed connection", n)
	}
}
