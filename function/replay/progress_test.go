package replay_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay"
)

// interruptWhen returns a context that is cancelled once met returns true.
func interruptWhen(t *testing.T, met func() bool) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		changetest.WaitFor(t, "a reason to interrupt", met)
		cancel()
	}()
	t.Cleanup(func() { <-done })
	return ctx
}

// The rate limits the changes per second.
func TestRun_rate(t *testing.T) {
	from := store(t, map[string][]byte{"a.ndjson": lines(t, orders(5000))})
	synctest.Test(t, func(t *testing.T) {
		var times []time.Duration
		begun := time.Now()
		m := &memory{verdict: func(*format.Parsed) error {
			times = append(times, time.Since(begun).Round(time.Millisecond))
			return nil
		}}
		o, _ := options(from, m.spec())
		o.Rate = 100
		if _, err := replay.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		if got, want := slices.Compact(times), []time.Duration{0, 10 * time.Second, 20 * time.Second, 30 * time.Second, 40 * time.Second}; !slices.Equal(got, want) {
			t.Errorf("chunks after %v, want %v", got, want)
		}
	})
}

// Pauses between retries grow, up to a bound.
func TestRetry_pauses(t *testing.T) {
	from := store(t, map[string][]byte{"a.ndjson": lines(t, orders(1))})
	synctest.Test(t, func(t *testing.T) {
		var pauses []string
		last := time.Now()
		m := &memory{verdict: func(*format.Parsed) error {
			pauses = append(pauses, time.Since(last).String())
			last = time.Now()
			if len(pauses) < 10 {
				return errors.New("unavailable")
			}
			return nil
		}}
		o, _ := options(from, m.spec())
		s, err := replay.Run(t.Context(), o)
		if want := "0s 500ms 1s 2s 4s 8s 16s 30s 30s 30s"; strings.Join(pauses, " ") != want || err != nil || s.Changes != 1 {
			t.Errorf("pauses %v, want %s; %s; error %v", pauses, want, s, err)
		}
	})
}

// In a log, a line of progress is printed every ten seconds.
func TestProgress(t *testing.T) {
	from := store(t, map[string][]byte{"a.ndjson": lines(t, orders(1000)), "b.ndjson": lines(t, orders(1000))})
	synctest.Test(t, func(t *testing.T) {
		var m memory
		o, out := options(from, m.spec())
		o.Rate = 40
		if _, err := replay.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		if want := "1 of 2 objects, 1000 changes, 100/s, 10s left\n1 of 2 objects, 1000 changes, 50/s, 20s left\n"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
	})
}

// The time left counts the bytes read of the current object.
func TestProgress_withinObject(t *testing.T) {
	var text []byte
	for range 20 {
		text = append(text, lines(t, orders(1000))...)
	}
	from := store(t, map[string][]byte{"a.ndjson": text})
	synctest.Test(t, func(t *testing.T) {
		var m memory
		o, out := options(from, m.spec())
		o.Rate = 103 // so that no change comes at the same instant as a line of progress
		if _, err := replay.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		if !regexp.MustCompile(`0 of 1 object, 10000 changes, 1\d\d/s, 1m[2-4]\ds left\n`).MatchString(out.String()) {
			t.Errorf("%s", out.String())
		}
	})
}

// On a terminal the line of progress is rewritten, and other lines are printed above it.
func TestProgress_terminal(t *testing.T) {
	from := store(t, map[string][]byte{"a.ndjson": append(lines(t, orders(1000)), lines(t, orders(999))...), "b.ndjson": []byte("nothing\n")})
	synctest.Test(t, func(t *testing.T) {
		var m memory
		o, out := options(from, m.spec())
		o.Rate, o.Terminal = 1000, true
		if _, err := replay.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		text := regexp.MustCompile(`\d+/s(, 0s left)?`).ReplaceAllString(out.String(), "N/s")
		line := "0 of 2 objects, 1000 changes, N/s"
		message := fmt.Sprintf("%s/b.ndjson:1: not a change: ", from)
		if !strings.HasPrefix(text, line+"\r\x1b[K"+line+"\r\x1b[K") || !strings.Contains(text, "\x1b[K"+message) {
			t.Errorf("%q", text)
		}
	})
}
