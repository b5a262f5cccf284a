package sink_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
)

func TestParseURL_hosts(t *testing.T) {
	for _, tt := range []struct{ text, host, path, query string }{
		{"aerospike://a:3000/n/s?mode=raw", "a:3000", "/n/s", "mode=raw"},
		{"aerospike://a:3000,b:3000/n/s?mode=raw", "a:3000,b:3000", "/n/s", "mode=raw"},
		{"aerospike://a:3000,b/n", "a:3000,b", "/n", ""},
		{"aerospike://[::1]:3000,[::2]:3000/n", "[::1]:3000,[::2]:3000", "/n", ""},
		{"aerospike://a,b?x=y,z", "a,b", "", "x=y,z"},
		{"gs://bucket/a,b", "bucket", "/a,b", ""},
		{"log:", "", "", ""},
	} {
		u, err := sink.ParseURL(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if u.Host != tt.host || u.Path != tt.path || u.RawQuery != tt.query {
			t.Errorf("%s: host %q, path %q, query %q", tt.text, u.Host, u.Path, u.RawQuery)
		}
		if tt.host != "" && u.String() != tt.text {
			t.Errorf("%s is %s as a string", tt.text, u)
		}
	}
}

// A user is seen wherever it is, so that no error shows a password.
func TestParseURL_user(t *testing.T) {
	for _, text := range []string{"aerospike://u:p@a,b/n", "aerospike://a,u:p@b/n", "aerospike://a:3000,u:p@b:3000/n"} {
		if u, err := sink.ParseURL(text); err == nil && u.User == nil {
			t.Errorf("%s has no user: host %q", text, u.Host)
		}
	}
}

func TestParseURL_invalid(t *testing.T) {
	for _, text := range []string{"a b://c", "aerospike://a:x,b/n", "aerospike://[::1,b/n", "gs://%zz/"} {
		if u, err := sink.ParseURL(text); err == nil {
			t.Errorf("%s: no error, host %q", text, u.Host)
		}
	}
	several := "a:1,b"
	if _, err := url.Parse("aerospike://" + several + "/n"); err == nil {
		t.Error("url.Parse reads several hosts by itself now; ParseURL is not needed")
	}
}

func TestSplitURLs(t *testing.T) {
	for _, tt := range []struct {
		list string
		want []string
	}{
		{"", nil},
		{" , ,", nil},
		{"log:", []string{"log:"}},
		{"log:, gs://b/p ,pubsub://p/t", []string{"log:", "gs://b/p", "pubsub://p/t"}},
		{"gs://b,log:", []string{"gs://b", "log:"}},
		{"gs://b,log:?data=true", []string{"gs://b", "log:?data=true"}},
		{"gs://b,pubsub://p/t", []string{"gs://b", "pubsub://p/t"}},
		{"gs://b/a,b/c", []string{"gs://b/a", "b/c"}},
		{"gs://b?format=x,y:1", []string{"gs://b?format=x", "y:1"}},
		{"aerospike://a:3000,b:3000/n/s?mode=raw,log:", []string{"aerospike://a:3000,b:3000/n/s?mode=raw", "log:"}},
		{"aerospike://a,b,c/n,gs://d", []string{"aerospike://a,b,c/n", "gs://d"}},
		{"aerospike://[::1]:3000,[::2]/n,gs://d", []string{"aerospike://[::1]:3000,[::2]/n", "gs://d"}},
		{"aerospike://a, b:3000/n", []string{"aerospike://a, b:3000/n"}},
		{"log:,a:1/n", []string{"log:", "a:1/n"}},
	} {
		if got := slices.Collect(sink.SplitURLs(tt.list)); !slices.Equal(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.list, got, tt.want)
		}
	}
	for range sink.SplitURLs("log:,log:") {
		break
	}
}

// Splitting loses nothing but commas and space, and no text makes it or parsing panic.
func FuzzSplitURLs(f *testing.F) {
	for _, list := range []string{"aerospike://a:3000,b:3000/n/s?mode=raw,log:", "gs://b,pubsub://p/t", "aerospike://[::1]:3000,[::2]/n", ",,", "a://b,c@d"} {
		f.Add(list)
	}
	bare := strings.NewReplacer(",", "")
	f.Fuzz(func(t *testing.T, list string) {
		joined := ""
		for text := range sink.SplitURLs(list) {
			joined += text
			if u, err := sink.ParseURL(text); err == nil && u.User == nil && strings.Contains(u.Host, "@") {
				t.Errorf("%q has a user that is not seen", text)
			}
		}
		if got, want := strings.Join(strings.Fields(bare.Replace(joined)), ""), strings.Join(strings.Fields(bare.Replace(list)), ""); got != want {
			t.Errorf("%q became %q", list, joined)
		}
	})
}
