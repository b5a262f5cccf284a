package function

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/report"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink"
)

var (
	errNever  = change.Permanent(errors.New("never"))
	errLater  = errors.New("later")
	errBusy   = fmt.Errorf("full: %w", sink.ErrOverloaded)
	errLarger = change.Permanent(fmt.Errorf("a change is %w", format.ErrTooLarge))
)

// The response matrix of the contract, for verdicts: two sinks each have a verdict on the
// second of three changes, and the sink of the dead letters has one on the dead letter.
func TestServeHTTP_verdicts(t *testing.T) {
	const absent = "absent"
	for _, tt := range []struct {
		name         string
		first, other error
		deadLetters  any // error, nil or absent
		status       int
		retry, dead  []int
		reason       string
	}{
		{"stored", nil, nil, absent, 200, nil, nil, ""},
		{"one sink fails", errLater, nil, absent, 503, []int{1}, []int{}, "1 of 3 changes is not durable: change 1: later"},
		{"the other fails", nil, errLater, nil, 503, []int{1}, []int{}, "1 of 3 changes is not durable: change 1: later"},
		{"overload", errBusy, nil, absent, 429, []int{1}, []int{}, "1 of 3 changes is not durable: change 1: full: overloaded"},
		{"overload of both", errBusy, errBusy, nil, 429, []int{1}, []int{}, "overloaded"},
		{"overload here, failure there", errBusy, errLater, nil, 503, []int{1}, []int{}, "later"},
		{"overload here, refusal there", errBusy, errNever, nil, 429, []int{1}, []int{}, "overloaded"},
		{"failure here, refusal there", errNever, errLater, nil, 503, []int{1}, []int{}, "later"},

		{"refusal", errNever, nil, absent, 400, []int{1}, []int{}, "1 of 3 changes cannot be stored: change 1: never"},
		{"too large", nil, errLarger, absent, 413, []int{1}, []int{}, "change 1: a change is too large"},
		{"too large and more", errLarger, errNever, absent, 413, []int{1}, []int{}, "too large"},
		{"refusal, with dead letters", nil, errNever, nil, 200, []int{}, []int{1}, "1 of 3 changes became a dead letter: change 1: never"},
		{"too large, with dead letters", errLarger, nil, nil, 200, []int{}, []int{1}, "too large"},

		{"dead letters fail", errNever, nil, errLater, 503, []int{1}, []int{}, "change 1: dead letters: later"},
		{"dead letters are full", errNever, nil, errBusy, 429, []int{1}, []int{}, "change 1: dead letters: full"},
		{"dead letters refuse", errNever, nil, errNever, 503, []int{1}, []int{}, "change 1: dead letters: never"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var deadLetters *fake
			if tt.deadLetters != absent {
				deadLetters = &fake{}
				if err, ok := tt.deadLetters.(error); ok {
					deadLetters.verdict = failOn("", err)
				}
			}
			second := line(1)
			first, other := &fake{verdict: failOn(second, tt.first)}, &fake{verdict: failOn(second, tt.other)}
			w := post(receiverOf(t, deadLetters, first, other), line(0), second, line(2))
			if w.Code != tt.status || (w.Header().Get("Retry-After") == "1") != (tt.status == 429) {
				t.Errorf("status %d, header %v: %s", w.Code, w.Header(), w.Body)
			}
			for _, f := range []*fake{first, other} {
				if n := strings.Count(strings.Join(f.stored, ""), line(0)+line(2)) + strings.Count(strings.Join(f.stored, ""), line(0)+second+line(2)); n != 1 {
					t.Errorf("the other changes are not stored exactly once: %q", f.stored)
				}
			}
			if tt.retry == nil {
				if w.Body.Len() > 0 {
					t.Errorf("body %s", w.Body)
				}
				return
			}
			got := reportOf(t, w)
			if !strings.Contains(got.Reason, tt.reason) {
				t.Errorf("reason %q, want %q", got.Reason, tt.reason)
			}
			want := report.Report{Changes: 3, Retry: tt.retry, Dead: tt.dead, Reason: got.Reason}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			if deadLetters != nil && len(deadLetters.stored) != len(tt.dead) {
				t.Errorf("dead letters %q", deadLetters.stored)
			}
		})
	}
}

// A dead letter has the bytes as received, the reason, and where they were in the request.
func TestServeHTTP_deadLetters(t *testing.T) {
	deadLetters, s := &fake{}, &fake{verdict: failOn(`"gen":2`, errNever)}
	r := receiverOf(t, deadLetters, s)
	never := strings.Replace(line(2), `"gen":1`, `"gen":2`, 1)
	before := time.Now()
	w := post(r, line(0), "{\"a\":\x00}", never, `{"msg":"write"}`)
	if got := reportOf(t, w); w.Code != http.StatusOK || !cmp.Equal(got.Dead, []int{1, 2, 3}) {
		t.Fatalf("status %d, report %+v", w.Code, got)
	}
	if diff := cmp.Diff([]string{"{\"a\":\x00}", never, `{"msg":"write"}`}, deadLetters.stored); diff != "" {
		t.Errorf("dead letters (-want +got):\n%s", diff)
	}
	for i, reason := range []string{"byte", "never", "neither JSON"} {
		l := deadLetters.dead[i]
		if !strings.Contains(l.Reason, reason) || l.Received.Before(before) || l.Received.After(time.Now()) {
			t.Errorf("dead letter %+v, want a reason with %q", l, reason)
		}
		if l.MediaType != format.MediaJSON || l.Offset < len(line(0)) || l.Request == "" {
			t.Errorf("dead letter %+v", l)
		}
	}
	if diff := cmp.Diff([]string{line(0)}, s.stored); diff != "" {
		t.Errorf("stored (-want +got):\n%s", diff)
	}
}

// A body that cannot be parsed at all becomes one dead letter. Without dead letters it is
// refused.
func TestServeHTTP_unreadableBody(t *testing.T) {
	body := `[` + line(0) + `,{"cut`
	for _, tt := range []struct {
		name        string
		mediaType   string
		body        string
		deadLetters *fake
		status      int
		dead        []string
	}{
		{"no dead letters", format.MediaJSON, body, nil, 400, nil},
		{"dead letters", format.MediaJSON, body, &fake{}, 200, []string{body}},
		{"failing dead letters", format.MediaJSON, body, &fake{verdict: failOn("", errLater)}, 503, nil},
		{"unsupported media type", "text/plain", body, &fake{}, 415, nil},
		{"undeclared content coding", format.MediaNDJSON, "\x1f\x8b\x08\x00\n{}\n", &fake{}, 415, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &fake{}
			w := postAs(receiverOf(t, tt.deadLetters, s), tt.mediaType, tt.body)
			if w.Code != tt.status || s.puts > 0 {
				t.Errorf("status %d: %s; %d puts", w.Code, w.Body, s.puts)
			}
			if tt.deadLetters == nil {
				return
			}
			if diff := cmp.Diff(tt.dead, tt.deadLetters.stored); diff != "" {
				t.Errorf("dead letters (-want +got):\n%s", diff)
			}
			if tt.dead == nil {
				return
			}
			if l := tt.deadLetters.dead[0]; l.MediaType != format.MediaJSON || l.Offset < len(line(0)) || l.Request == "" {
				t.Errorf("dead letter %+v", l)
			}
		})
	}
}

// After a hundred requests in a row whose changes were all refused, no more dead letters are
// written until a change is stored.
func TestServeHTTP_tooManyRefusals(t *testing.T) {
	deadLetters, s := &fake{}, &fake{verdict: failOn("gen", errNever)}
	r := receiverOf(t, deadLetters, s)
	for i := range report.MaxRefusals {
		if w := post(r, line(2*i), line(2*i+1)); w.Code != http.StatusOK {
			t.Fatalf("request %d: status %d", i, w.Code)
		}
	}
	w := post(r, line(1000), line(1001))
	if got := reportOf(t, w); w.Code != http.StatusServiceUnavailable || len(got.Retry) != 2 || len(got.Dead) > 0 || !strings.Contains(got.Reason, "never; all changes of the last 100 requests") {
		t.Errorf("status %d, report %+v", w.Code, got)
	}
	// The same holds for a body that cannot be parsed.
	if w := postAs(r, format.MediaJSON, "["); w.Code != http.StatusServiceUnavailable {
		t.Errorf("unreadable body: status %d", w.Code)
	}
	if n := len(deadLetters.stored); n != 2*report.MaxRefusals {
		t.Errorf("%d dead letters", n)
	}
	s.verdict = failOn(line(1001), errNever)
	if w := post(r, line(1000), line(1001)); w.Code != http.StatusOK || len(reportOf(t, w).Dead) != 1 {
		t.Errorf("one of two is stored: status %d: %s", w.Code, w.Body)
	}
	if w := post(r, line(1001)); w.Code != http.StatusOK {
		t.Errorf("after that: status %d", w.Code)
	}
}

// Requests with failures that can be retried do not count as refused.
func TestServeHTTP_failuresAreNotRefusals(t *testing.T) {
	deadLetters, s := &fake{}, &fake{verdict: failOn("", errLater)}
	r := receiverOf(t, deadLetters, s)
	for range 2 * report.MaxRefusals {
		if w := post(r, line(0), "no change"); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", w.Code)
		}
	}
	s.verdict = nil
	if w := post(r, "no change"); w.Code != http.StatusOK {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if len(deadLetters.stored) != 1 { // a repeated dead letter is not stored again
		t.Errorf("dead letters %q", deadLetters.stored)
	}
}

// Requests whose dead letters could not be stored do not count as refused.
func TestServeHTTP_failedDeadLettersAreNotRefusals(t *testing.T) {
	deadLetters, s := &fake{verdict: failOn("", errLater)}, &fake{}
	r := receiverOf(t, deadLetters, s)
	for range 2 * report.MaxRefusals {
		if w := post(r, "no change"); w.Code != http.StatusServiceUnavailable {
			t.Fatalf("status %d", w.Code)
		}
	}
	deadLetters.verdict = nil
	if w := post(r, "no change"); w.Code != http.StatusOK || len(deadLetters.stored) != 1 {
		t.Errorf("status %d: %s; dead letters %q", w.Code, w.Body, deadLetters.stored)
	}
}
