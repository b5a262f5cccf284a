package function

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/format"
)

// If a request is repeated because one sink failed, the other sinks are not given the changes
// that they have.
func TestServeHTTP_repeatSkipsStoredChanges(t *testing.T) {
	good, bad := &fake{}, &fake{verdict: failOn(line(1), errLater)}
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
		t.Errorf("sink that had everything (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{line(0), line(2), line(1), line(3)}, bad.stored); diff != "" {
		t.Errorf("sink that failed (-want +got):\n%s", diff)
	}
	puts := good.puts
	if w := post(r, line(1)); w.Code != http.StatusOK || good.puts != puts+1 {
		t.Errorf("status %d, %d puts, want %d: a change is still remembered after its success", w.Code, good.puts, puts+1)
	}
}

// Two deletes with the same bytes may be different changes, with a write in between.
func TestServeHTTP_repeatedDeleteIsStoredTwice(t *testing.T) {
	gone := `{"msg":"delete","key":["shop","s","000000000000000000000000000=",1],"durable":false}`
	good, bad := &fake{}, &fake{verdict: failOn("", errLater)}
	r := receiverOf(t, nil, good, bad)
	post(r, gone)
	bad.verdict = nil
	if w := post(r, gone); w.Code != http.StatusOK || len(good.stored) != 2 {
		t.Errorf("status %d, stored %q", w.Code, good.stored)
	}
}

// A sender that does not read reports repeats whole requests until all changes are stored.
// Each sink then has each change once, however often sinks failed.
func TestServeHTTP_repeatsStoreEachChangeOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines, never []string
		for i := range rapid.IntRange(1, 8).Draw(rt, "changes") {
			lines = append(lines, line(i))
		}
		// The sinks run concurrently, so their verdicts are drawn in advance.
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
		deadLetters, a, b := &fake{verdict: fails("deadLetters")}, &fake{verdict: fails("a")}, &fake{}
		later := fails("b")
		b.verdict = func(p *format.Parsed) error {
			if slices.Contains(never, string(p.Data)) {
				return errNever
			}
			return later(p)
		}
		r := receiverOf(t, deadLetters, a, b)
		for try := 0; post(r, lines...).Code != http.StatusOK; try++ {
			if try == 1000 {
				rt.Fatal("never stored")
			}
		}
		for f, want := range map[*fake][]string{a: lines, b: lines[len(never):], deadLetters: never} {
			slices.Sort(f.stored)
			if !slices.Equal(f.stored, want) {
				rt.Errorf("stored\n%s\nwant\n%s", strings.Join(f.stored, "\n"), strings.Join(want, "\n"))
			}
		}
	})
}
