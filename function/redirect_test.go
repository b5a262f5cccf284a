package function_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// A front end that redirects a POST, say from http to https, turns it into a GET unless it
// redirects with 307 or 308. The GET must not count as a success.
func TestServeHTTP_redirectedPost(t *testing.T) {
	for status, want := range map[int]int{
		http.StatusMovedPermanently:  http.StatusMethodNotAllowed,
		http.StatusFound:             http.StatusMethodNotAllowed,
		http.StatusSeeOther:          http.StatusMethodNotAllowed,
		http.StatusTemporaryRedirect: http.StatusOK,
		http.StatusPermanentRedirect: http.StatusOK,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			cloud := sinktest.New(t)
			address := start(t, "SINKS", sinktest.PubSubSink)
			front := httptest.NewServer(http.RedirectHandler("http://"+address+"/", status))
			defer front.Close()
			c := client(t, false)
			c.CheckRedirect = func(req *http.Request, via []*http.Request) error { // keep the header, as curl does
				req.Header.Set("Content-Type", via[0].Header.Get("Content-Type"))
				return nil
			}
			resp, err := c.Post(front.URL, "application/json", strings.NewReader(jsonChange(1)))
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if stored := len(cloud.Messages()) == 1; resp.StatusCode != want || stored != (want == http.StatusOK) {
				t.Errorf("status %d, want %d; stored: %t", resp.StatusCode, want, stored)
			}
		})
	}
}
