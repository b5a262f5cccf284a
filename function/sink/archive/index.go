package archive

import (
	"container/list"
	"time"
)

// index finds the objects of the last minutes by their parts: those that are open or being
// written, so that a repeated part is in only one of them; those that are stored, so that a
// repeated part is not written again; and those in doubt.
//
// An object is in doubt if a write was sent but got no response: it may exist. Its content
// is kept, because only another write under the same name can tell.
type index struct {
	objects         map[key]*object
	stored, inDoubt list.List // of *object, the least recently used first
	bytes           int64     // of the objects in doubt
}

// Limits of the index.
const (
	maxAge     = 10 * time.Minute // since its last use
	maxParts   = 1 << 16
	maxInDoubt = 32 << 20 // bytes as stored
)

// add adds an object that is stored or in doubt.
func (x *index) add(o *object, now time.Time) {
	o.lastUsed = now
	if o.content == nil {
		o.element = x.stored.PushBack(o)
	} else {
		o.element = x.inDoubt.PushBack(o)
		x.bytes += o.stored()
	}
	x.evict(now)
}

// touch notes that a stored object was used.
func (x *index) touch(o *object, now time.Time) {
	o.lastUsed = now
	x.stored.MoveToBack(o.element)
}

// takeInDoubt removes an object from those in doubt, but keeps its parts in the index.
func (x *index) takeInDoubt(o *object) {
	x.inDoubt.Remove(o.element)
	x.bytes -= o.stored()
}

// drop removes the parts of an object from the index.
func (x *index) drop(o *object) {
	for _, k := range o.keys {
		delete(x.objects, k)
	}
}

// evict removes objects until the limits hold, the least recently used first.
func (x *index) evict(now time.Time) {
	for e := x.stored.Front(); e != nil && x.isExpired(e, now); e = x.stored.Front() {
		x.drop(objectIn(e))
		x.stored.Remove(e)
	}
	for e := x.inDoubt.Front(); e != nil && (x.bytes > maxInDoubt || x.isExpired(e, now)); e = x.inDoubt.Front() {
		o := objectIn(e)
		x.takeInDoubt(o)
		x.drop(o)
	}
}

func (x *index) isExpired(e *list.Element, now time.Time) bool {
	return len(x.objects) > maxParts || now.Sub(objectIn(e).lastUsed) > maxAge
}

func objectIn(e *list.Element) *object {
	o, ok := e.Value.(*object)
	if !ok {
		panic("archive: the index holds something other than objects")
	}
	return o
}
