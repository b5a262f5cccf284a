package connector

import (
	"net/http"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
)

// A change that is shipped again is sent only to the destinations that do not have it. Once
// all have it, another shipment is sent to all.
func TestDelivered_repeatsOnlyWhereMissing(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"), other.destination(t, "other"))), nil)
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	e.respond(1, http.StatusOK)
	other.respond(1, http.StatusServiceUnavailable)
	n.wantReplies(t, xdr.Retry)
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		other.respond(1, status)
		n.ship(t, write(t, "s", 1))
		n.wantReplies(t, map[int]xdr.Code{200: xdr.OK, 503: xdr.Retry}[status])
	}
	if len(e.bodies) != 1 || len(other.bodies) != 3 {
		t.Errorf("%d and %d requests, want 1 and 3", len(e.bodies), len(other.bodies))
	}
	// The change is forgotten once it is delivered everywhere, so that a rewind sends it again.
	e.respond(1, http.StatusOK)
	other.respond(1, http.StatusOK)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.OK)
	if len(e.bodies) != 2 || len(other.bodies) != 4 {
		t.Errorf("after a rewind %d and %d requests, want 2 and 4", len(e.bodies), len(other.bodies))
	}
}

// A verdict that arrives after the reply is remembered too.
func TestDelivered_verdictAfterReply(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	r := start(t, allSets(pipelineTo(e.destination(t, "there"), other.destination(t, "other"))), func(c *Config) { c.Budget = 300 * time.Millisecond })
	n := r.dial(t)
	n.ship(t, write(t, "s", 1))
	e.respond(1, http.StatusOK)
	n.wantReplies(t, xdr.Retry) // other does not answer, and its request is cancelled
	changetest.WaitFor(t, "no changes in flight", func() bool { records, _ := r.server.inFlight.now(); return records == 0 })
	n.ship(t, write(t, "s", 1))
	for range 2 { // the cancelled request may take one of them
		other.respond(1, http.StatusOK)
	}
	n.wantReplies(t, xdr.OK)
	if len(e.bodies) != 1 {
		t.Errorf("%d requests, want 1", len(e.bodies))
	}
}

func TestDelivered_bounded(t *testing.T) {
	r := newDelivered(10)
	for i := range 1000 {
		c := change.Change{Namespace: "test", Digest: change.Digest{byte(i), byte(i >> 8)}, LUT: 1}
		k := r.copiesOf(&slot{}, &c, 2)
		k.had.Store(1)
		r.update(k, false)
	}
	if n := len(r.young) + len(r.old); n > 20 || n < 10 {
		t.Errorf("%d changes remembered, want 10 to 20", n)
	}
}

// Destinations after the 64th are not remembered, so they get the change again.
func TestDelivered_moreThan64Destinations(t *testing.T) {
	const n = 70
	r := newDelivered(10)
	c := change.Change{LUT: 1}
	k := r.copiesOf(&slot{}, &c, n)
	for i := range n {
		k.each[i].slot = &slot{copies: k, session: &session{}}
		k.each[i].slot.missing.Store(2) // so that the slot does not finish
		k.each[i].Done(nil)
	}
	r.update(k, false)
	again := r.copiesOf(&slot{}, &c, n)
	if again.missing() != n-64 {
		t.Errorf("%d destinations miss the change, want %d", again.missing(), n-64)
	}
	for i := range n {
		if (again.to(i) == nil) != (i < 64) {
			t.Errorf("destination %d: %v", i, again.to(i))
		}
	}
}

// A change that may differ from the remembered one is sent to all destinations.
func TestDelivered_differentChange(t *testing.T) {
	had := change.Change{Namespace: "test", Set: "s", Digest: change.Digest{1}, LUT: 5, Generation: 2}
	for name, other := range map[string]func(*change.Change){
		"another version": func(c *change.Change) { c.LUT++ },
		"another record":  func(c *change.Change) { c.Digest[0]++ },
		"a delete":        func(c *change.Change) { c.Op = change.Delete },
		"no set":          func(c *change.Change) { c.Set = "" },
		"no time":         func(c *change.Change) { c.LUT = 0 },
	} {
		r := newDelivered(10)
		for _, first := range []change.Change{had, func() change.Change { c := had; c.LUT = 0; return c }()} {
			k := r.copiesOf(&slot{}, &first, 2)
			k.had.Store(1)
			r.update(k, false)
		}
		c := had
		other(&c)
		if missing := r.copiesOf(&slot{}, &c, 2).missing(); missing != 2 {
			t.Errorf("%s goes to %d destinations, want 2", name, missing)
		}
	}
}
