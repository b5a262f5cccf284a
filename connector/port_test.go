package connector

import (
	"context"
	"net"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/aerosink/aerosink/connector/route"
	"github.com/aerosink/aerosink/connector/xdr"
)

// startPorts starts a connector with a port for each of pipelines, which are those of the
// port. A port whose pipelines have no destinations gets the first ones.
func startPorts(t *testing.T, pipelines ...Pipeline) []*rig {
	t.Helper()
	own := map[int]route.Levels[Pipeline]{}
	var listeners []net.Listener
	for _, p := range pipelines[1:] {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		listeners = append(listeners, l)
		if len(p.Destinations) > 0 {
			own[l.Addr().(*net.TCPAddr).Port] = allSets(p)
		}
	}
	r := start(t, allSets(pipelines[0]), func(c *Config) { c.Ports, c.OrderingBytes = own, 1<<20 })
	rigs := []*rig{r}
	for _, l := range listeners {
		other := *r
		other.address = l.Addr().String()
		rigs = append(rigs, &other)
		ctx, cancel := context.WithCancel(context.Background())
		served := make(chan error, 1)
		go func() { served <- r.server.accept(ctx, l) }()
		t.Cleanup(func() {
			cancel()
			l.Close()
			if err := <-served; err != nil {
				t.Error(err)
			}
		})
	}
	return rigs
}

// A change takes the pipeline of the port that it is received on.
func TestServer_pipelinesOfPort(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	rigs := startPorts(t, pipelineTo(e.destination(t, "there")), pipelineTo(other.destination(t, "other")))
	for i, to := range []*endpoint{e, other} {
		to.respond(int64(i), http.StatusOK)
		n := rigs[i].dial(t)
		n.ship(t, write(t, "s", i))
		n.wantReplies(t, xdr.OK)
	}
	if len(e.bodies) != 1 || len(other.bodies) != 1 {
		t.Errorf("%d and %d requests, want one to each", len(e.bodies), len(other.bodies))
	}
}

// A version that was sent because of one port does not make older ones stale on another,
// whose changes go elsewhere. Ports without pipelines of their own share their memory.
func TestOrdering_perPort(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	there, elsewhere := pipelineTo(e.destination(t, "there")), pipelineTo(other.destination(t, "other"))
	there.Ordering, elsewhere.Ordering = &route.Ordering{TTL: time.Hour, AckStale: true}, &route.Ordering{TTL: time.Hour, AckStale: true}
	rigs := startPorts(t, there, elsewhere, Pipeline{})
	for _, tt := range []struct {
		port  int
		lut   int64
		to    *endpoint
		stale float64
	}{{0, 20, e, 0}, {1, 10, other, 0}, {2, 10, nil, 1}, {1, 5, nil, 2}} {
		if tt.to != nil {
			tt.to.respond(tt.lut, http.StatusOK)
		}
		n := rigs[tt.port].dial(t)
		n.ship(t, version(t, tt.lut))
		n.wantReplies(t, xdr.OK)
		if got := testutil.ToFloat64(rigs[0].server.metrics.stale); got != tt.stale {
			t.Errorf("after version %d on port %d: %v stale, want %v", tt.lut, tt.port, got, tt.stale)
		}
	}
	if len(e.bodies) != 1 || len(other.bodies) != 1 {
		t.Errorf("%d and %d requests, want one to each", len(e.bodies), len(other.bodies))
	}
}

// What the destinations of one port have says nothing about those of another.
func TestDelivered_perPort(t *testing.T) {
	e, other := newEndpoint(t), newEndpoint(t)
	a, b := e.destination(t, "there"), other.destination(t, "other")
	rigs := startPorts(t, pipelineTo(a, b), pipelineTo(b, a))
	e.respond(1, http.StatusOK)
	other.respond(1, http.StatusServiceUnavailable)
	n := rigs[0].dial(t)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.Retry)
	e.respond(1, http.StatusOK)
	other.respond(1, http.StatusOK)
	n = rigs[1].dial(t)
	n.ship(t, write(t, "s", 1))
	n.wantReplies(t, xdr.OK)
	if len(e.bodies) != 2 || len(other.bodies) != 2 {
		t.Errorf("%d and %d requests, want 2 and 2", len(e.bodies), len(other.bodies))
	}
}

// The memories of all ports together are as large as that of one.
func TestPorts_memory(t *testing.T) {
	ordered := Pipeline{Ordering: &route.Ordering{TTL: time.Hour}}
	c := Config{OrderingBytes: 1 << 20, Pipelines: allSets(ordered), Ports: map[int]route.Levels[Pipeline]{1: allSets(ordered), 2: allSets(Pipeline{})}}
	all := slices.Collect(newPorts(c).all())
	records, changes := 0, 0
	for _, p := range all {
		for i := range p.ordering.shards {
			if longestTTL(p.pipelines) > 0 {
				records += p.ordering.shards[i].max
			}
		}
		changes += p.delivered.max
	}
	want, one := 0, newOrdering(time.Hour, 1<<20)
	for i := range one.shards {
		want += one.shards[i].max
	}
	if len(all) != 3 || records > want || records < want*9/10 || changes > maxDelivered || changes < maxDelivered*9/10 {
		t.Errorf("%d ports remember %d records and %d changes, want 3, %d and %d", len(all), records, changes, want, maxDelivered)
	}
}
