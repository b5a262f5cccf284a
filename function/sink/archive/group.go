package archive

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/aerosink/aerosink/function/sink"
)

// group lets concurrent Puts share objects. An object takes the parts of its folder while it
// is open. It is closed, and then written, when the first of these happens:
//
//   - its linger is over,
//   - half of the time that one of its Puts has left is over,
//   - it has max-bytes or max-changes,
//   - it is large enough and nobody is left to add to it, because every running Put waits
//     for an open object. Senders that wait for responses before they send more would
//     otherwise wait for the linger.
//
// Goroutines run only while a Put waits for them. The last Put that gives up cancels them
// and waits until they have ended.
type group struct {
	*config
	write      func(ctx context.Context, o *object) (Outcome, error)
	processors semaphore // for work that needs a processor

	mu      sync.Mutex
	open    map[folderKey]*object
	index   index
	puts    int // running
	blocked int // running Puts that wait for an open object
}

// folderKey is what parts that share an object have in common.
type folderKey struct {
	folder   string
	encoding *encoding
}

// worthwhile is the uncompressed size in bytes from which an object may be closed before its
// linger is over: from this size on, storing it for a month costs more than writing it.
const worthwhile = 4 << 20

func newGroup(s *config, write func(context.Context, *object) (Outcome, error), processor semaphore) *group {
	return &group{config: s, write: write, processors: processor, open: map[folderKey]*object{}, index: index{objects: map[key]*object{}}}
}

// join puts the parts of a Put into objects, and returns what to wait for: a pendingWrite for
// each part, nil if the part is stored already.
func (g *group) join(ctx context.Context, active *activePut, parts []*part) []*pendingWrite {
	now := time.Now()
	linger := g.linger
	if deadline, ok := ctx.Deadline(); ok {
		linger = min(linger, deadline.Sub(now)/2)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.index.evict(now)
	pending := make([]*pendingWrite, len(parts))
	for i, p := range parts {
		o := g.objectOf(p, now)
		if o.pending == nil {
			continue
		}
		pending[i] = o.pending
		o.pending.puts++
		if o.open {
			g.waitFor(active, o, now.Add(linger))
		}
	}
	g.closeWorthwhile()
	return pending
}

// objectOf returns the object that has the part, after it has added the part to an open one
// if no object has it. An object that is stored already has nothing pending.
func (g *group) objectOf(p *part, now time.Time) *object {
	o := g.index.objects[p.key]
	switch {
	case o == nil:
		o = g.addToOpen(p)
	case o.pending != nil: // it is open or being written
	case o.content == nil:
		g.index.touch(o, now)
	default: // in doubt: it is written again, unchanged
		g.index.takeInDoubt(o)
		o.beginWrite(false)
		g.startWrite(o)
	}
	return o
}

// addToOpen adds the part to an open object.
func (g *group) addToOpen(p *part) *object {
	at := folderKey{p.folder, p.encoding}
	o := g.open[at]
	if o != nil && (o.size+p.size > g.maxBytes || o.changes+len(p.changes) > g.maxChanges) {
		g.close(o)
		o = nil
	}
	if o == nil {
		o = &object{folder: p.folder, encoding: p.encoding, open: true}
		o.beginWrite(p.rows != nil)
		g.open[at] = o
	}
	o.add(p)
	g.index.objects[p.key] = o
	return o
}

// waitFor notes that a Put waits for an open object, and closes the object at until at the
// latest.
func (g *group) waitFor(p *activePut, o *object, until time.Time) {
	o.pending.blockedPuts = append(o.pending.blockedPuts, p)
	if p.waitingFor++; p.waitingFor == 1 {
		g.blocked++
	}
	switch {
	case g.linger == 0 || o.size >= g.maxBytes || o.changes >= g.maxChanges:
		g.close(o)
	case o.timer == nil:
		o.closes = until
		o.timer = time.AfterFunc(time.Until(until), func() { g.lingerOver(o) })
	case until.Before(o.closes):
		o.closes = until
		o.timer.Reset(time.Until(until))
	}
}

// lingerOver closes an object whose linger is over.
func (g *group) lingerOver(o *object) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if o.open {
		g.close(o)
	}
}

// closeWorthwhile closes large objects if no running Put can add to them.
func (g *group) closeWorthwhile() {
	if g.blocked < g.puts {
		return
	}
	for _, o := range g.open {
		if o.size >= worthwhile {
			g.close(o)
		}
	}
}

// close closes an object and starts to write it.
func (g *group) close(o *object) {
	g.stopAdding(o)
	g.startWrite(o)
}

// stopAdding marks an object as closed, so that no more parts are added to it.
func (g *group) stopAdding(o *object) {
	o.open = false
	delete(g.open, folderKey{o.folder, o.encoding})
	if o.timer != nil {
		o.timer.Stop()
	}
	for _, t := range o.pending.blockedPuts {
		if t.waitingFor--; t.waitingFor == 0 && !t.done {
			g.blocked--
		}
	}
}

// putStarted notes the start of a Put; call putDone at its end.
func (g *group) putStarted() *activePut {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.puts++
	return &activePut{}
}

func (g *group) putDone(p *activePut) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.done = true
	g.puts--
	if p.waitingFor > 0 {
		g.blocked--
	}
	g.closeWorthwhile()
}

// startWrite starts to write a closed object.
func (g *group) startWrite(o *object) {
	ctx, cancel := context.WithCancel(context.Background()) // no Put may cancel what others wait for
	o.pending.cancel = cancel
	go g.run(ctx, o, o.pending)
}

func (g *group) run(ctx context.Context, o *object, w *pendingWrite) {
	defer w.cancel()
	out, err := Failed, error(nil)
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("archive in %s: %w", g.url, &sink.Panic{Value: value, Stack: debug.Stack()})
			if o.content != nil {
				out = Unknown
			}
		}
		g.finish(w, out, err)
	}()
	if o.parts != nil {
		err = g.encode(ctx, o, w)
	}
	if err == nil {
		out, err = g.write(ctx, o)
	}
}

// encode encodes the content, when a processor is free.
func (g *group) encode(ctx context.Context, o *object, w *pendingWrite) error {
	defer w.releaseMemory()
	if err := g.processors.acquire(ctx); err != nil {
		return err
	}
	defer g.processors.release()
	return o.encode()
}

// finish ends a pendingWrite.
func (g *group) finish(w *pendingWrite, out Outcome, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := w.object
	o.inDoubt = o.inDoubt || out == Unknown
	switch {
	case out == Created || out == Exists:
		o.content = nil
		g.index.add(o, time.Now())
	case o.inDoubt:
		g.index.add(o, time.Now())
	default:
		g.index.drop(o)
	}
	w.end(err)
}

// await returns the errors of a Put's writes, in the order of pending, in which nil is a part
// that is stored already. It returns when all have ended, or when ctx is done and the memory
// of the Put's batch is no longer needed.
func (g *group) await(ctx context.Context, pending []*pendingWrite) []error {
	errs := make([]error, len(pending))
	for i, w := range pending {
		if w == nil {
			continue
		}
		select {
		case <-w.done:
			errs[i] = w.err
		case <-ctx.Done():
			g.abandon(ctx.Err(), pending[i:], errs[i:])
			return errs
		}
	}
	return errs
}

// abandon ends the waiting of a Put, because of cause. It gives up all its writes before it
// waits for any of them to let go of the memory: another Put may do the same in another
// order.
func (g *group) abandon(cause error, pending []*pendingWrite, errs []error) {
	ends := make([]bool, len(pending))
	for i, w := range pending {
		ends[i] = w != nil && g.leave(w)
	}
	for i, w := range pending {
		switch {
		case w == nil:
		case ends[i]:
			<-w.done
			if w.err != nil {
				errs[i] = fmt.Errorf("%w: %w", cause, w.err)
			}
		default:
			<-w.encoded
			errs[i] = fmt.Errorf("archive in %s: an object was not written in time: %w", g.url, cause)
		}
	}
}

// leave notes that a Put waits no longer for a write. It cancels what nobody waits for, and
// reports whether the write has ended or is about to.
func (g *group) leave(w *pendingWrite) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	o := w.object
	if o.pending != w {
		return true
	}
	if w.puts--; w.puts > 0 {
		return false
	}
	if o.open {
		g.stopAdding(o)
		g.index.drop(o)
		w.end(fmt.Errorf("archive in %s: an object was abandoned before it was written", g.url))
	} else {
		w.cancel()
	}
	return true
}
