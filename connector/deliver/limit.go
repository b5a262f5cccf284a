package deliver

import (
	"math"
	"time"
)

// limit is how many requests a destination may have in flight. It begins with
// all lanes, falls by half when the destination has too much, and grows by steps
// while requests go well and there are more to be made. It is never below one.
type limit struct {
	most, step float64
	now        float64
	cut        time.Time // when it fell last
}

// stepsToFull is how many rounds of requests it takes at most from one request
// to all lanes.
const stepsToFull = 20

func newLimit(most int) limit {
	m := float64(most)
	return limit{most: m, now: m, step: max(1, m/stepsToFull)}
}

// grow follows a request that went well, while inFlight were in flight. A whole
// round of them makes a step.
func (l *limit) grow(inFlight int) {
	if inFlight >= int(l.now) {
		l.now = min(l.most, l.now+l.step/math.Floor(l.now))
	}
}

// shrink follows a request that was sent at a time, when no more than most could be
// in flight, and was too much. Those that were out already when the limit fell say
// nothing new.
func (l *limit) shrink(most int, sent, now time.Time) {
	if sent.After(l.cut) {
		l.now, l.cut = max(1, min(l.now, float64(most))/2), now
	}
}
