package deliver_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/deliver/post"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/auth"
)

// recorder is a server that records its requests.
type recorder struct {
	url      string
	requests chan request
}

type request struct {
	header http.Header
	body   []byte
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{requests: make(chan request, 1000)}
	r.url = server(t, func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.requests <- request{req.Header, body}
	}).URL
	return r
}

// next waits for the verdicts on the changes in the next request, and returns it.
func (r *recorder) next(t *testing.T, verdicts ...verdict) request {
	t.Helper()
	for _, v := range verdicts {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	return <-r.requests
}

// sendTogether sends items in one request.
func sendTogether(d *deliver.Destination, items ...deliver.Item) []verdict {
	s := &deliver.Stream{Envelope: lines{}, MaxRecords: len(items), MaxBytes: 1 << 30, Interval: time.Hour}
	var verdicts []verdict
	for _, p := range items {
		v := make(verdict, 1)
		p.Stream, p.To, p.Deadline = s, v, time.Now().Add(time.Minute)
		d.Send(p)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

func TestHeader_values(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "hush\n")
	secret, err := auth.ReadSecret(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	c := config(t, r.url)
	c.Headers = []post.Header{
		{Name: "X-Team", Text: "data"}, {Name: "X-Team", Text: "more"}, {Name: "X-Empty"},
		{Name: "X-Secret", Of: post.FactSecret, Secret: secret},
		{Name: "X-Namespace", Of: post.FactNamespace}, {Name: "X-Set", Of: post.FactSet},
		{Name: "X-Count", Of: post.FactCount}, {Name: "X-Format", Of: post.FactFormat},
	}
	d := open(t, c)
	from := func(namespace, set string) deliver.Item {
		return deliver.Item{Record: []byte("x\n"), Namespace: namespace, Set: set}
	}
	for _, tt := range []struct {
		name                  string
		items                 []deliver.Item
		namespace, set, count []string
	}{
		{"one change", []deliver.Item{from("ns", "s")}, []string{"ns"}, []string{"s"}, []string{"1"}},
		{"one change without a set", []deliver.Item{from("ns", "")}, []string{"ns"}, nil, []string{"1"}},
		{"one set", []deliver.Item{from("ns", "s"), from("ns", "s"), from("ns", "s")}, []string{"ns"}, []string{"s"}, []string{"3"}},
		{"two sets", []deliver.Item{from("ns", "s"), from("ns", "t")}, []string{"ns"}, nil, []string{"2"}},
		{"with and without a set", []deliver.Item{from("ns", "s"), from("ns", ""), from("ns", "s")}, []string{"ns"}, nil, []string{"3"}},
		{"invalid as a header value", []deliver.Item{from("ns", "a\nb")}, []string{"ns"}, nil, []string{"1"}},
		{"two namespaces", []deliver.Item{from("ns", "s"), from("other", "s")}, nil, nil, []string{"2"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := r.next(t, sendTogether(d, tt.items...)...).header
			want := http.Header{
				"X-Team": {"data", "more"}, "X-Empty": {""}, "X-Secret": {"hush"}, "X-Format": {"lines"},
				"Content-Type": {fmt.Sprintf("text/plain; n=%d", len(tt.items))},
			}
			for name, values := range map[string][]string{"X-Namespace": tt.namespace, "X-Set": tt.set, "X-Count": tt.count} {
				if values != nil {
					want[name] = values
				}
			}
			for _, name := range []string{"User-Agent", "Content-Length", "Accept-Encoding"} {
				got.Del(name)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The halves of a batch have headers of their own.
func TestHeader_splitBatch(t *testing.T) {
	var sets []string
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sets = append(sets, r.Header.Get("X-Set")+" "+r.Header.Get("X-Count"))
		if len(body) > 4 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
		}
	})
	c := config(t, s.URL)
	c.Headers = []post.Header{{Name: "X-Set", Of: post.FactSet}, {Name: "X-Count", Of: post.FactCount}}
	from := func(set string) deliver.Item {
		return deliver.Item{Record: []byte("x\n"), Namespace: "ns", Set: set}
	}
	for _, v := range sendTogether(open(t, c), from("a"), from("a"), from("b"), from("b")) {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff([]string{" 4", "a 2", "b 2"}, sets); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// An item's own header has precedence over the destination's, but not over Content-Type.
func TestHeader_ofItem(t *testing.T) {
	r := newRecorder(t)
	c := config(t, r.url)
	c.Headers = []post.Header{{Name: "X-Reason", Text: "none"}, {Name: "X-Team", Text: "data"}}
	d := open(t, c)
	v := make(verdict, 1)
	own := http.Header{"X-Reason": {"refused"}, "Content-Type": {"wrong"}}
	d.Send(deliver.Item{Stream: alone, Record: []byte("x"), Header: own, Deadline: time.Now().Add(time.Minute), To: v})
	h := r.next(t, v).header
	if got := []string{h.Get("X-Reason"), h.Get("X-Team"), h.Get("Content-Type")}; !cmp.Equal(got, []string{"refused", "data", "text/plain; n=1"}) {
		t.Errorf("headers %q", got)
	}
	if h := r.next(t, send(d, alone, 0, "y")).header; h.Get("X-Reason") != "none" {
		t.Errorf("another item's header was sent: %v", h)
	}
	if own.Get("Content-Type") != "wrong" {
		t.Error("the item's header was changed")
	}
}

// The last secret is used while the file is empty; a new one is used soon.
func TestHeader_changedSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "one")
	secret, err := auth.ReadSecret(file)
	if err != nil {
		t.Fatal(err)
	}
	r := newRecorder(t)
	c := config(t, r.url)
	c.Headers = []post.Header{{Name: "X-Secret", Of: post.FactSecret, Secret: secret}}
	d := open(t, c)
	for _, text := range []string{"", "another"} { // an empty file is one being written
		write(t, file, text)
		changetest.WaitFor(t, "the expected secret", func() bool {
			got := r.next(t, send(d, alone, 0, "x")).header.Get("X-Secret")
			if got != "one" && got != "another" {
				t.Fatalf("secret %q", got)
			}
			return text == "" || got == text
		})
	}
}

// A request says which connector sent it, unless the configuration has another User-Agent.
func TestHeader_userAgent(t *testing.T) {
	r := newRecorder(t)
	for want, headers := range map[string][]post.Header{
		"aerosink-connector/1.2.3": nil,
		"mine":                     {{Name: "User-Agent", Text: "mine"}},
	} {
		c := config(t, r.url)
		c.UserAgent, c.Headers = "aerosink-connector/1.2.3", headers
		if got := r.next(t, send(open(t, c), alone, 0, "x")).header["User-Agent"]; len(got) != 1 || got[0] != want {
			t.Errorf("User-Agent %q, want %q", got, want)
		}
	}
}
