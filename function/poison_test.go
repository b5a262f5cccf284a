package function_test

import (
	"math/rand/v2"
	"testing"
)

// If no sink fails, and one in a thousand changes is invalid, every request is answered with
// 200 at once: an invalid change does not hold back the others.
func TestServeHTTP_unreadableChangesOnly(t *testing.T) {
	m := newMixedRun(t, 1)
	m.cloud.FailPublish(nil)
	m.cloud.FailStorage(nil)
	random := rand.New(rand.NewPCG(1, 2))
	for i := 0; len(m.poison) < 5; i++ {
		f := m.formats[i%len(m.formats)]
		m.send(t, f, m.batch(t, random, f), true)
	}
	if m.repeats > 0 {
		t.Errorf("%d requests had to be sent again", m.repeats)
	}
	m.checkMessages(t)
	m.checkObjects(t)
}
