package archive

import (
	"container/list"
	"time"
)

// memory knows the objects of the last minutes by their parts: those that are open
// or being written, so that a part that comes twice is in one of them alone, those
// that are there, so that a part that comes again is not written again, and those in
// doubt.
//
// An object is in doubt when a write was sent and not answered: it may be there. Its
// content is kept, for only under its name will the bucket say so.
type memory struct {
	objects         map[key]*object
	there, doubtful list.List // of *object, the longest untouched first
	bytes           int64     // of what is doubtful
}

// The bounds of memory.
const (
	maxAge      = 10 * time.Minute // since a part came or was written last
	maxParts    = 1 << 16
	maxDoubtful = 32 << 20 // bytes, as they are stored
)

// keep takes in an object that is there, or in doubt.
func (m *memory) keep(o *object, now time.Time) {
	o.touched = now
	if o.content == nil {
		o.element = m.there.PushBack(o)
	} else {
		o.element = m.doubtful.PushBack(o)
		m.bytes += o.stored()
	}
	m.forget(now)
}

// touch keeps an object longer that is there.
func (m *memory) touch(o *object, now time.Time) {
	o.touched = now
	m.there.MoveToBack(o.element)
}

// take takes out what is in doubt, but for its parts.
func (m *memory) take(o *object) {
	m.doubtful.Remove(o.element)
	m.bytes -= o.stored()
}

// drop forgets the parts of an object.
func (m *memory) drop(o *object) {
	for _, k := range o.keys {
		delete(m.objects, k)
	}
}

// forget drops what is beyond the bounds.
func (m *memory) forget(now time.Time) {
	for e := m.there.Front(); e != nil && m.isOver(e, now); e = m.there.Front() {
		m.drop(objectIn(e))
		m.there.Remove(e)
	}
	for e := m.doubtful.Front(); e != nil && (m.bytes > maxDoubtful || m.isOver(e, now)); e = m.doubtful.Front() {
		o := objectIn(e)
		m.take(o)
		m.drop(o)
	}
}

func (m *memory) isOver(e *list.Element, now time.Time) bool {
	return len(m.objects) > maxParts || now.Sub(objectIn(e).touched) > maxAge
}

func objectIn(e *list.Element) *object {
	o, ok := e.Value.(*object)
	if !ok {
		panic("archive: the memory holds something else than objects")
	}
	return o
}
