package devnode

import (
	"math"
	"testing"
	"time"
)

// A scan sends as many records per second as its rate, and waits neither long nor often.
func TestScanner_pauses(t *testing.T) {
	for _, rate := range []uint32{1, 2, 7, 19, 20, 21, 39, 100, 12345, math.MaxUint32} {
		after, wait := pauses(rate)
		perSecond := float64(after) / wait.Seconds()
		if perSecond < 0.99*float64(rate) || perSecond > 1.01*float64(rate) {
			t.Errorf("rate %d: %d records in %s are %.1f per second", rate, after, wait, perSecond)
		}
		if after > 1 && (wait < time.Second/21 || wait > time.Second/10) {
			t.Errorf("rate %d: waits of %s", rate, wait)
		}
	}
}
