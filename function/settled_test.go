package function

import (
	"encoding/binary"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/format"
)

// printOf returns a fingerprint of its own for each i.
func printOf(i int) (print fingerprint) {
	binary.BigEndian.PutUint64(print[:], uint64(i))
	return print
}

func always(int) bool { return true }

// What one sink has is not given to it again, when the request comes again because
// of another.
func TestSettled(t *testing.T) {
	good, bad := &fake{}, &fake{verdict: about(line(1), errLater)}
	r := receiverOf(t, nil, good, bad)
	for range 3 {
		if w := post(r, line(0), line(1), line(2)); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", w.Code)
		}
	}
	bad.verdict = nil
	if w := post(r, line(1), line(3)); w.Code != http.StatusOK {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	if diff := cmp.Diff([]string{line(0), line(1), line(2), line(3)}, good.stored); diff != "" {
		t.Errorf("the sink that had all (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{line(0), line(2), line(1), line(3)}, bad.stored); diff != "" {
		t.Errorf("the sink that failed (-want +got):\n%s", diff)
	}
	puts := good.puts
	if w := post(r, line(1)); w.Code != http.StatusOK || good.puts != puts+1 {
		t.Errorf("a change that succeeded is remembered: status %d, %d puts, had %d", w.Code, good.puts, puts)
	}
}

// Two deletes with the same bytes may be two, with a write between them.
func TestSettledDelete(t *testing.T) {
	gone := `{"msg":"delete","key":["shop","s","000000000000000000000000000=",1],"durable":false}`
	good, bad := &fake{}, &fake{verdict: about("", errLater)}
	r := receiverOf(t, nil, good, bad)
	post(r, gone)
	bad.verdict = nil
	if w := post(r, gone); w.Code != http.StatusOK || len(good.stored) != 2 {
		t.Errorf("status %d, stored %q", w.Code, good.stored)
	}
}

// A sender that knows nothing of reports sends all again until all is stored, and
// each sink has each change once, whoever failed, and however often.
func TestSettledProperty(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines, never []string
		for i := range rapid.IntRange(1, 8).Draw(rt, "changes") {
			lines = append(lines, line(i))
		}
		// Sinks are asked at once, so what each says is drawn before.
		fails := func(name string) func(*format.Parsed) error {
			plan := rapid.SliceOfN(rapid.SampledFrom([]error{nil, nil, errLater, errBusy}), 0, 40).Draw(rt, name)
			return func(*format.Parsed) (err error) {
				if len(plan) > 0 {
					err, plan = plan[0], plan[1:]
				}
				return err
			}
		}
		if rapid.Bool().Draw(rt, "poisoned") {
			never = lines[:1]
		}
		letters, a, b := &fake{verdict: fails("letters")}, &fake{verdict: fails("a")}, &fake{}
		later := fails("b")
		b.verdict = func(p *format.Parsed) error {
			if slices.Contains(never, string(p.Data)) {
				return errNever
			}
			return later(p)
		}
		r := receiverOf(t, letters, a, b)
		for try := 0; post(r, lines...).Code != http.StatusOK; try++ {
			if try == 1000 {
				rt.Fatal("never stored")
			}
		}
		for f, want := range map[*fake][]string{a: lines, b: lines[len(never):], letters: never} {
			slices.Sort(f.stored)
			if !slices.Equal(f.stored, want) {
				rt.Errorf("stored\n%s\nwant\n%s", strings.Join(f.stored, "\n"), strings.Join(want, "\n"))
			}
		}
		for _, p := range r.stores.Load().all() {
			if !p.settled.isEmpty() {
				rt.Error("what was stored is remembered")
			}
		}
	})
}

// What is remembered is bounded in number, and lasts for at least half of that.
func TestSettledNumber(t *testing.T) {
	var s settled
	for i := range 3 * settledChanges {
		s.remember([]fingerprint{printOf(i)}, nil, always)
	}
	if n := len(s.young) + len(s.old); n > 2*settledChanges || n < settledChanges {
		t.Errorf("%d are remembered", n)
	}
	if known := s.among([]fingerprint{printOf(0), printOf(2*settledChanges + 1), printOf(3*settledChanges - 1)}); !slices.Equal(known, []bool{false, true, true}) {
		t.Errorf("remembered: %v", known)
	}
}

func TestSettledAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s settled
		one, two := []fingerprint{printOf(1)}, []fingerprint{printOf(2)}
		s.remember(one, nil, always)
		time.Sleep(settledAge - time.Second)
		s.remember(two, nil, always)
		time.Sleep(2 * time.Second)
		if s.among(one) == nil || s.among(two) == nil {
			t.Error("forgotten too soon")
		}
		time.Sleep(settledAge)
		if s.among(one) != nil || s.among(two) != nil {
			t.Error("remembered for too long")
		}
		s.remember(one, nil, always)
		if s.forget(one); !s.isEmpty() || s.among(one) != nil {
			t.Error("not forgotten")
		}
	})
}
