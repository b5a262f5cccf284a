package deliver

import (
	"math"
	"time"
)

// limiter limits how many requests a destination may have in flight. It starts with one
// per lane, halves when the destination has too much to do, and grows in steps while
// requests succeed and there are more to be made. It is never below one.
type limiter struct {
	max, step float64
	now       float64
	decreased time.Time // when it was last halved
}

// stepsToMax is how many rounds of requests it takes at most from one request to all lanes.
const stepsToMax = 20

func newLimiter(lanes int) limiter {
	m := float64(lanes)
	return limiter{max: m, now: m, step: max(1, m/stepsToMax)}
}

// increase follows a successful request, made while inFlight were in flight. A whole round
// of them makes a step.
func (l *limiter) increase(inFlight int) {
	if inFlight >= int(l.now) {
		l.now = min(l.max, l.now+l.step/math.Floor(l.now))
	}
}

// decrease follows a request that was too much. It was sent at the given time, when at most
// allowed requests could be in flight. Requests that were sent before the last decrease
// do not count again.
func (l *limiter) decrease(allowed int, sent, now time.Time) {
	if sent.After(l.decreased) {
		l.now, l.decreased = max(1, min(l.now, float64(allowed))/2), now
	}
}

// width is how many concurrent requests are useful. A request costs much more than what it
// carries, so a few full ones do better than many small ones: the width grows while
// requests are rather full and no further one could be made.
type width struct{ min, max, now float64 }

// minWidth is how many requests are useful in any case. With it, what arrives behind a
// request need not wait for its response, however far away the destination is.
const minWidth = 8

func newWidth(lanes int) width {
	least := float64(min(minWidth, lanes))
	return width{min: least, max: float64(lanes), now: least}
}

// learn follows a request whose batch was as full as fullness says, 1 being full. all says
// whether as many requests as allowed were in flight. A round of full ones doubles the
// width.
func (w *width) learn(fullness float64, all bool) {
	switch {
	case fullness > 1./2 && all:
		w.now = min(w.max, w.now+1)
	case fullness < 1./8:
		w.now = max(w.min, w.now-1./4)
	}
}
