package connector

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
)

// A connection from a source that is not allowed is closed before it is read.
func TestServer_allow(t *testing.T) {
	for _, tt := range []struct {
		allow   []string
		allowed bool
	}{
		{nil, true},
		{[]string{"127.0.0.0/8"}, true},
		{[]string{"10.0.0.0/8", "127.0.0.1/32"}, true},
		{[]string{"10.0.0.0/8", "::/0"}, false},
	} {
		t.Run(strings.Join(tt.allow, " "), func(t *testing.T) {
			e := newEndpoint(t)
			r := start(t, allSets(pipelineTo(e.destination(t, "there"))), func(c *Config) {
				for _, network := range tt.allow {
					c.Allow = append(c.Allow, netip.MustParsePrefix(network))
				}
			})
			n := r.dial(t)
			if tt.allowed {
				e.respond(1, http.StatusOK)
				n.ship(t, write(t, "s", 1))
				n.wantReplies(t, xdr.OK)
			} else if _, err := n.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("error %v, want the end of the connection", err)
			}
			want := map[bool]float64{true: 0, false: 1}[tt.allowed]
			changetest.WaitFor(t, "connections to be counted", func() bool { return testutil.ToFloat64(r.server.metrics.refused) == want })
			logged := func() bool {
				return strings.Contains(r.log.String(), `"msg":"connection refused: service.allow does not have its source","source":"127.0.0.1"`)
			}
			if !tt.allowed {
				changetest.WaitFor(t, "a line in the log", logged) // it is counted first
			} else if logged() {
				t.Errorf("log:\n%s", r.log.String())
			}
			if opened := r.server.metrics.active.Load() + r.server.metrics.closed.Load(); opened != map[bool]int64{true: 1, false: 0}[tt.allowed] {
				t.Errorf("%d sessions", opened)
			}
		})
	}
}

// An address of IPv4 is the same in its form for IPv6, and a zone does not matter.
func TestSources_admits(t *testing.T) {
	s := sources{allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}}
	for source, want := range map[string]bool{
		"10.1.2.3:5": true, "[::ffff:10.1.2.3]:5": true, "11.0.0.1:5": false, "[fe80::1%eth0]:5": true, "[2001:db8::1]:5": false,
	} {
		if got := s.admits(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(source))); got != want {
			t.Errorf("%s: %v, want %v", source, got, want)
		}
	}
	if s.admits(&net.UnixAddr{Name: "@"}) {
		t.Error("a source without an address is admitted")
	}
}

// Each source is logged once in a while, with how often it was refused meanwhile. The memory
// for that is bounded.
func TestSources_refuse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sources{}
		refuse := func(source string, wantBefore int, wantLog bool) {
			t.Helper()
			before, log := s.refuse(netip.MustParseAddr(source))
			if before != wantBefore || log != wantLog {
				t.Errorf("%s: %d before, logged %v, want %d, %v", source, before, log, wantBefore, wantLog)
			}
		}
		refuse("10.0.0.1", 0, true)
		refuse("10.0.0.2", 0, true)
		for range 3 {
			refuse("10.0.0.1", 0, false)
		}
		time.Sleep(refusalInterval)
		refuse("10.0.0.1", 3, true)
		refuse("10.0.0.1", 0, false)
		logged := 0
		for i := range 3 * maxRefused {
			if _, log := s.refuse(netip.MustParseAddr(fmt.Sprintf("2001:db8::%x", i))); log {
				logged++
			}
		}
		if len(s.refused) > maxRefused+1 || logged > maxRefused+1 || logged < maxRefused/2 {
			t.Errorf("%d sources remembered, %d logged", len(s.refused), logged)
		}
		time.Sleep(refusalInterval)
		refuse("10.0.0.3", 0, true)
	})
}
