package connector

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr"
)

// Repeats of a message with the same cause are suppressed and counted; another cause is
// logged.
func TestLogLimiter_suppressesRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLogLimiter(slog.New(slog.NewTextHandler(&out, nil)))
		one, other := errors.New("one"), errors.New("other")
		for range 100 {
			l.warn("refused", one, "cause", "one")
			l.warn("refused", fmt.Errorf("again: %w", other), "cause", "other")
		}
		l.info("lost", one)
		if n := strings.Count(out.String(), "\n"); n != 3 || !strings.Contains(out.String(), "cause=other") {
			t.Errorf("%d lines, want one for each message and cause:\n%s", n, out.String())
		}
		time.Sleep(logInterval)
		l.warn("refused", one, "cause", "one")
		if !strings.Contains(out.String(), "cause=one suppressed=99") {
			t.Errorf("the suppressed repeats are not counted:\n%s", out.String())
		}
	})
}

// Causes that differ each time neither fill the log nor the memory, and none of their
// repeats is forgotten.
func TestLogLimiter_manyCauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newLogLimiter(slog.New(slog.NewTextHandler(&out, nil)))
		const each = 1000
		for round := range 3 {
			for i := range each {
				l.warn("refused", fmt.Errorf("cause %d of round %d", i, round))
			}
			if n := len(l.messages["refused"]); n > maxCauses+1 {
				t.Errorf("%d causes are kept", n)
			}
			time.Sleep(logInterval)
		}
		l.warn("refused", nil)
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if n := len(lines); n > 3*(maxCauses+1)+1 || n < 3*maxCauses {
			t.Errorf("%d lines", n)
		}
		counted := len(lines)
		for _, line := range lines {
			if _, count, ok := strings.Cut(line, "suppressed="); ok {
				var n int
				if _, err := fmt.Sscan(count, &n); err != nil {
					t.Fatal(err)
				}
				counted += n
			}
		}
		if counted != 3*each+1 {
			t.Errorf("%d warnings are logged or counted, want %d", counted, 3*each+1)
		}
	})
}

func TestCauseOf(t *testing.T) {
	reset := func(port int) error {
		return &net.OpError{Op: "read", Net: "tcp", Addr: &net.TCPAddr{Port: port}, Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	}
	malformed := func(kind xdr.ErrorKind, offset int) error {
		return fmt.Errorf("store dead letter: %w; it is one because: %w", errors.New("the disk is full"), change.Permanent(&xdr.Error{Kind: kind, Offset: offset}))
	}
	for _, tt := range []struct {
		name       string
		one, other error
		same       bool
	}{
		{"nothing", nil, nil, true},
		{"addresses", reset(1), reset(2), true},
		{"offsets", malformed(xdr.BadLUTSize, 1), malformed(xdr.BadLUTSize, 2), true},
		{"kinds", malformed(xdr.BadLUTSize, 1), malformed(xdr.BadKey, 1), false},
		{"statuses", fmt.Errorf("destination a: %w", errors.New("status 400")), fmt.Errorf("destination a: %w", errors.New("status 503")), false},
		{"joined errors", errors.Join(reset(1), errors.New("one")), errors.Join(reset(2), errors.New("other")), true},
	} {
		if one, other := causeOf(tt.one), causeOf(tt.other); (one == other) != tt.same {
			t.Errorf("%s: causes %q and %q", tt.name, one, other)
		}
	}
}
