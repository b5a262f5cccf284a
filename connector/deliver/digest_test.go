package deliver_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/deliver"
	"github.com/aerosink/aerosink/connector/deliver/post"
)

// itemOf returns a change of the record whose digest begins with id.
func itemOf(id byte) deliver.Item {
	return deliver.Item{Record: []byte{'0' + id, '\n'}, Digest: change.Digest{id}}
}

func encoded(d change.Digest) string { return base64.StdEncoding.EncodeToString(d[:]) }

// A request of one change has the digest of its record, any other request none.
func TestHeader_digest(t *testing.T) {
	r := newRecorder(t)
	c := config(t, r.url)
	c.Headers = []post.Header{{Name: "Aerosink-Digest", Of: post.FactDigest}}
	d := open(t, c)
	for _, tt := range []struct {
		name  string
		items []deliver.Item
		want  []string
	}{
		{"one change", []deliver.Item{itemOf(1)}, []string{encoded(change.Digest{1})}},
		{"another change", []deliver.Item{itemOf(2)}, []string{encoded(change.Digest{2})}},
		{"two changes", []deliver.Item{itemOf(1), itemOf(2)}, nil},
		{"two changes of a record", []deliver.Item{itemOf(1), itemOf(1)}, nil},
		{"unknown digest", []deliver.Item{{Record: []byte("x\n")}}, nil},
	} {
		got := r.next(t, sendTogether(d, tt.items...)...).header["Aerosink-Digest"]
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A change that is alone because its batch was refused has its own digest.
func TestHeader_digestOfPart(t *testing.T) {
	var mu sync.Mutex
	var alone []string
	url := server(t, func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		if bytes := string(body); strings.Count(bytes, "\n") > 1 {
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		alone = append(alone, string(body[:1])+" "+req.Header.Get("Aerosink-Digest"))
	}).URL
	c := config(t, url)
	c.Headers = []post.Header{{Name: "Aerosink-Digest", Of: post.FactDigest}}
	for _, v := range sendTogether(open(t, c), itemOf(1), itemOf(2), itemOf(3)) {
		if err := v.wait(t); err != nil {
			t.Error(err)
		}
	}
	slices.Sort(alone)
	want := []string{"1 " + encoded(change.Digest{1}), "2 " + encoded(change.Digest{2}), "3 " + encoded(change.Digest{3})}
	if diff := cmp.Diff(want, alone); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Requests have another Content-Type only if the media type of their body has another.
func TestConfig_mediaTypes(t *testing.T) {
	r := newRecorder(t)
	c := config(t, r.url)
	c.MediaTypes = map[string]string{"text/plain; n=1": "text/plain; charset=utf-8"}
	d := open(t, c)
	for n, want := range map[int]string{1: "text/plain; charset=utf-8", 2: "text/plain; n=2"} {
		if got := r.next(t, sendTogether(d, slices.Repeat([]deliver.Item{itemOf(1)}, n)...)...).header.Get("Content-Type"); got != want {
			t.Errorf("%d changes: Content-Type %q, want %q", n, got, want)
		}
	}
}

// A health check has neither a digest nor a Content-Type.
func TestHealthCheck_header(t *testing.T) {
	checks := make(chan http.Header, 100)
	url := server(t, func(_ http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodGet {
			checks <- req.Header
		}
	}).URL
	c := config(t, url)
	c.Headers = []post.Header{{Name: "Aerosink-Digest", Of: post.FactDigest}, {Name: "X-Team", Text: "data"}}
	c.MediaTypes = map[string]string{"text/plain; n=1": "text/plain; charset=utf-8"}
	c.Health = &deliver.HealthConfig{Interval: 10 * time.Millisecond, CallTimeout: time.Minute, HealthyThreshold: 1, UnhealthyThreshold: 1}
	open(t, c)
	got := <-checks
	if got["Aerosink-Digest"] != nil || got["Content-Type"] != nil || got.Get("X-Team") != "data" {
		t.Errorf("%v", got)
	}
}
