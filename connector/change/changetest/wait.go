package changetest

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for an event before it fails. It is long, so that the tests
// pass on a loaded machine too.
const patience = 90 * time.Second

// WaitFor returns when met returns true, which it calls repeatedly. If that does not
// happen, it fails the test and names what it waited for.
func WaitFor(t testing.TB, what string, met func() bool) {
	t.Helper()
	look, late := time.NewTicker(time.Millisecond), time.After(patience)
	defer look.Stop()
	for !met() {
		select {
		case <-look.C:
		case <-late:
			t.Fatalf("there never was %s", what)
		}
	}
}

// Output is a writer whose text can be read while it is written. The zero value is ready to
// use.
type Output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String returns the text so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Find waits until the text matches pattern, and returns the last group of the match, or
// all of it.
func (o *Output) Find(t testing.TB, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	WaitFor(t, "a text like "+pattern, func() bool {
		found = re.FindStringSubmatch(o.String())
		return found != nil
	})
	return found[len(found)-1]
}
