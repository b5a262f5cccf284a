package deliver

import (
	"slices"
	"time"
)

// tidying is how often all that waits is looked through for parcels that are late
// by now.
const tidying = 100 * time.Millisecond

// tooLate refuses what nobody waits for any more.
func tooLate(now time.Time) refusal {
	return func(deadline time.Time) error {
		if now.Before(deadline) {
			return nil
		}
		return errTooLate
	}
}

// tidySoon has all that waits looked through, again and again until nothing does.
func (d *Destination) tidySoon() {
	if !d.tidying.Load() && d.tidying.CompareAndSwap(false, true) {
		time.AfterFunc(tidying, d.tidy)
	}
}

func (d *Destination) tidy() {
	d.gate.sweep()
	d.tidying.Store(false)
	if d.queued.Load() > 0 {
		d.tidySoon()
	}
}

// sweep settles the parcels that wait and are late, and those that could only wait
// in vain. One after another does it, so that when it returns none is left that was
// there before.
func (g *gate) sweep() {
	g.sweeping.Lock()
	defer g.sweeping.Unlock()
	now := time.Now()
	late := tooLate(now)
	refusal := func(deadline time.Time) error {
		if err := late(deadline); err != nil {
			return err
		}
		return g.refusal(deadline)
	}
	var out []settlement
	for _, l := range g.d.lanes {
		out = l.sweep(out, refusal)
	}
	g.mu.Lock()
	g.loads = slices.DeleteFunc(g.loads, func(l *load) bool {
		if out = l.sweep(out, refusal); len(l.batches) > 0 {
			return false
		}
		g.release(l)
		return true
	})
	g.lanes = slices.DeleteFunc(g.lanes, (*lane).vacate)
	g.advance(now)
	g.mu.Unlock()
	g.d.settleAll(out)
}
