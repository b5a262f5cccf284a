package deliver

import (
	"math"
	"time"
)

// limiter limits how many requests a destination may have in flight. The limit starts with
// one per lane, halves when the destination is overloaded, and grows in steps while
// requests succeed and the limit is reached. It is never below one.
type limiter struct {
	max, step float64
	now       float64
	decreased time.Time // when it was last halved
}

// stepsToMax is how many rounds of requests it takes at most to grow from one request to
// one per lane.
const stepsToMax = 20

func newLimiter(lanes int) limiter {
	m := float64(lanes)
	return limiter{max: m, now: m, step: max(1, m/stepsToMax)}
}

// increase is called after a successful request, with the number in flight. As many
// successes as the limit add one step.
func (l *limiter) increase(inFlight int) {
	if inFlight >= int(l.now) {
		l.now = min(l.max, l.now+l.step/math.Floor(l.now))
	}
}

// decrease halves the limit after a response that says that the destination is overloaded.
// The request was sent at sent; allowed is how many requests may be in flight now. Requests
// sent before the last decrease are ignored.
func (l *limiter) decrease(allowed int, sent, now time.Time) {
	if sent.After(l.decreased) {
		l.now, l.decreased = max(1, min(l.now, float64(allowed))/2), now
	}
}

// width is how many concurrent requests are useful. A request costs much more than the
// changes in it, so a few full ones are better than many small ones: the width grows while
// requests are more than half full and as many as allowed are in flight.
type width struct{ min, max, now float64 }

// minWidth is how many requests are always useful. With several, new changes need not wait
// for the response to an earlier request, which takes long if the destination is far away.
const minWidth = 8

func newWidth(lanes int) width {
	least := float64(min(minWidth, lanes))
	return width{min: least, max: float64(lanes), now: least}
}

// learn is called after a request with the fullness of its batch; 1 is full. all means that
// as many requests as allowed were in flight. A round of full requests doubles the width.
func (w *width) learn(fullness float64, all bool) {
	switch {
	case fullness > 1./2 && all:
		w.now = min(w.max, w.now+1)
	case fullness < 1./8:
		w.now = max(w.min, w.now-1./4)
	}
}
