package archive

import (
	"net/url"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// Where one request runs at a time, nothing waits for others unless the URL says so.
func TestParseConfig_linger(t *testing.T) {
	for _, tt := range []struct {
		url        string
		oneAtATime bool
		want       time.Duration
	}{
		{"gs://b/p", false, 250 * time.Millisecond},
		{"gs://b/p", true, 0},
		{"gs://b/p?linger=1s", true, time.Second},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		c, err := parseConfig(u, sink.Options{OneAtATime: tt.oneAtATime}, Cloud{})
		if err != nil || c.linger != tt.want {
			t.Errorf("%s, one at a time %t: %v, %v; want a linger of %s", tt.url, tt.oneAtATime, c, err, tt.want)
		}
	}
}
