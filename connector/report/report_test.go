package report

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	reason := strings.Repeat("é", maxReason)
	for _, tt := range []struct {
		name, mediaType, body string
		want                  *Report
	}{
		{"retries", MediaType, `{"changes":3,"retry":[0,2],"dead":[],"reason":"no"}`, &Report{Changes: 3, Retry: []int{0, 2}, Dead: []int{}, Reason: "no"}},
		{"only dead letters", MediaType, `{"changes":3,"dead":[1]}`, &Report{Changes: 3, Dead: []int{1}}},
		{"parameters and case", "Application/VND.aerosink.report+json; charset=utf-8", `{"changes":3,"retry":[1]}`, &Report{Changes: 3, Retry: []int{1}}},
		{"long reason", MediaType, `{"changes":3,"retry":[1],"reason":"` + reason + `and more"}`, &Report{Changes: 3, Retry: []int{1}, Reason: reason}},
		{"other media type", "application/json", `{"changes":3,"retry":[1]}`, nil},
		{"no media type", "", `{"changes":3,"retry":[1]}`, nil},
		{"other number of changes", MediaType, `{"changes":4,"retry":[1]}`, nil},
		{"index past the end", MediaType, `{"changes":3,"retry":[3]}`, nil},
		{"negative index", MediaType, `{"changes":3,"dead":[-1]}`, nil},
		{"nothing listed", MediaType, `{"changes":3,"retry":[],"dead":[]}`, nil},
		{"cut off", MediaType, `{"changes":3,"retry":[1]`, nil},
		{"not an object", MediaType, `[3]`, nil},
		{"empty", MediaType, ``, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := Parse(http.Header{"Content-Type": {tt.mediaType}}, []byte(tt.body), 3)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReport_roundTrip(t *testing.T) {
	want := &Report{Changes: 500, Retry: []int{3, 17}, Dead: []int{42}, Reason: "a topic is missing"}
	body, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got := Parse(http.Header{"Content-Type": {MediaType}}, body, 500)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-want +got)\n%s", diff)
	}
	for i, retried := range got.Retried() {
		if retried != (i == 3 || i == 17) {
			t.Errorf("change %d: retried %v", i, retried)
		}
	}
}

func TestIsPermanent(t *testing.T) {
	permanent := map[int]bool{400: true, 413: true, 415: true, 422: true}
	for status := 100; status < 600; status++ {
		if got := IsPermanent(status); got != permanent[status] {
			t.Errorf("status %d: permanent %v", status, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"1.5":                           0,
		"99999999":                      time.Hour,
		"4294967296":                    time.Hour,
		"99999999999999999999":          time.Hour,
		"-99999999999999999999":         0,
		"soon":                          0,
		"Fri, 27 Nov 2026 12:00:30 GMT": 30 * time.Second,
		"Fri, 27 Nov 2026 11:59:30 GMT": 0,
		"Fri, 27 Nov 2076 12:00:30 GMT": time.Hour,
	} {
		if got := RetryAfter(value, now, time.Hour); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func TestRefusals_limit(t *testing.T) {
	var r Refusals
	for i := range MaxRefusals {
		if r.TooMany() {
			t.Fatalf("too many after %d", i)
		}
		if !r.Refused() {
			t.Fatalf("refusal %d is not permanent", i)
		}
	}
	if !r.TooMany() || r.Refused() {
		t.Error("refusals above the limit are permanent")
	}
	r.Accepted()
	if r.TooMany() || !r.Refused() {
		t.Error("the count was not reset after something was accepted")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"changes":3,"retry":[0,2],"dead":[1],"reason":"no"}`), 3)
	f.Fuzz(func(t *testing.T, body []byte, n int) {
		r := Parse(http.Header{"Content-Type": {MediaType}}, body, n)
		if r == nil {
			return
		}
		if r.Changes != n || len(r.Retried()) != n && n >= 0 {
			t.Errorf("a report on %d changes for %d", r.Changes, n)
		}
	})
}
