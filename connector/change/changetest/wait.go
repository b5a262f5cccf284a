package changetest

import (
	"bytes"
	"regexp"
	"sync"
	"testing"
	"time"
)

// patience is how long a test waits for what must come. It is never used up when
// all is well.
const patience = 30 * time.Second

// WaitFor returns when met does, which it asks again and again. The test fails
// when it never does; what says what was waited for.
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

// Output is a writer whose text can be read while it is written. The zero Output
// is ready.
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

// String returns what was written so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// Find waits until the pattern is in the text, and returns what its last group
// matches, or the whole pattern.
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
