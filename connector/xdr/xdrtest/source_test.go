package xdrtest_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

func digest(i int) change.Digest {
	return change.Digest{byte(i), byte(i >> 8), 12: byte(i), 19: byte(i)}
}

func user(i int, bins ...change.Bin) change.Change {
	return change.Change{Namespace: "test", Set: "users", Digest: digest(i), Key: change.IntegerValue(int64(i)), Bins: bins}
}

func integer(name string, i int64) change.Bin {
	return change.Bin{Name: name, Value: change.IntegerValue(i)}
}

// running runs s until the test ends.
func running(t *testing.T, s *xdrtest.Source) {
	t.Helper()
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(t.Context()) })
	t.Cleanup(wg.Wait)
}

func settle(t *testing.T, s *xdrtest.Source) {
	t.Helper()
	if err := s.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// last returns the last change of each record.
func last(versions []xdrtest.Version) map[change.Digest]xdrtest.Version {
	m := map[change.Digest]xdrtest.Version{}
	for _, v := range versions {
		if m[v.Digest].LUT <= v.LUT {
			m[v.Digest] = v
		}
	}
	return m
}

// Whatever faults are injected, the receiver has the newest version of every record in the end.
func TestSource_faults(t *testing.T) {
	for name, s := range map[string]*xdrtest.Source{
		"plain":             {},
		"64 connections":    {Connections: 64},
		"window of 1":       {Connections: 4, Window: 1},
		"in bursts":         {Connections: 4, Period: 5 * time.Millisecond, HotKey: 20 * time.Millisecond},
		"split":             {Connections: 4, Faults: xdrtest.Faults{Seed: 1, Split: true}},
		"repeated":          {Connections: 4, Faults: xdrtest.Faults{Seed: 2, Again: 0.3}},
		"older after newer": {Connections: 4, Faults: xdrtest.Faults{Seed: 3, Stale: 0.5}},
		"cut off":           {Connections: 4, Window: 50, Faults: xdrtest.Faults{Seed: 4, Cut: 0.1, Split: true}},
		"malformed":         {Connections: 4, Faults: xdrtest.Faults{Seed: 5, Malformed: [][]byte{xdr.AppendReply(nil, 0), []byte("GET / HTTP/1.1\r\n\r\n")}, MalformedShare: 0.02}},
		"compressed":        {Connections: 4, Policy: xdrtest.Policy{Compress: true}},
		"changed bins":      {Connections: 4, Policy: xdrtest.Policy{Bins: xdrtest.OnlyChanged, BinLUTs: true, SourceID: 3}},
		"all faults": {Connections: 4, Policy: xdrtest.Policy{Compress: true, Bins: xdrtest.OnlyChanged}, Faults: xdrtest.Faults{
			Seed: 6, Split: true, Again: 0.1, Stale: 0.1, Cut: 0.05, Malformed: [][]byte{{1}, xdr.AppendReply(nil, 0)}, MalformedShare: 0.01,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, func(n int, _ *change.Change) xdr.Code {
				if n%7 == 0 {
					return xdr.Retry
				}
				return xdr.OK
			})
			s.Address, s.RetryAfter, s.AckTimeout = r.Addr().String(), 2*time.Millisecond, time.Second
			running(t, s)
			live(s, 200)
			settle(t, s)
			for s.Faults.Cut > 0 && s.Stats().RetryConnReset == 0 { // it depends on the number of bursts
				s.Rewind("test")
				settle(t, s)
			}
			if diff := cmp.Diff(s.Newest("test"), last(r.versions())); diff != "" {
				t.Errorf("(-newest +got):\n%s", diff)
			}
			stats := s.Stats()
			if stats.RetryDest == 0 || stats.Abandoned > 0 || stats.InQueue+stats.InProgress > 0 || stats.Lag > 0 {
				t.Errorf("%s", stats)
			}
			f := s.Faults
			if (f.Stale > 0) != (stats.Stale > 0) || (s.HotKey > 0) != (stats.HotKeys > 0) {
				t.Errorf("the faults were not injected: %+v", stats)
			}
		})
	}
}

// live writes records, updates some, and deletes some of those.
func live(s *xdrtest.Source, n int) {
	for i := range n {
		s.Write(user(i, integer("a", 1), change.Bin{Name: "text", Value: change.StringValue([]byte(strings.Repeat("long ", 40)))}))
	}
	for i := range n / 2 {
		s.Write(user(i, integer("a", 2), change.Bin{Name: "text"}))
	}
	for i := range n / 4 {
		s.Delete("test", digest(i), change.Op(1+i%2))
	}
	for i := range n / 8 {
		s.Write(user(i, integer("b", 3)))
	}
}

func TestSource_oneInFlightPerRecord(t *testing.T) {
	first := make(chan struct{})
	r := newReceiver(t, func(n int, _ *change.Change) xdr.Code {
		if n == 1 {
			<-first
		}
		return xdr.OK
	})
	s := &xdrtest.Source{Address: r.Addr().String()}
	running(t, s)
	s.Write(user(1, integer("a", 1)))
	changetest.WaitFor(t, "a request", func() bool { return s.Stats().InProgress == 1 })
	for i := range 9 {
		s.Write(user(1, integer("a", int64(i+2))))
	}
	if stats := s.Stats(); stats.InQueue != 1 || stats.InProgress != 1 {
		t.Errorf("%s, want one version waiting behind the one in flight", stats)
	}
	close(first)
	settle(t, s)
	if got := r.versions(); len(got) != 2 || got[1].Generation != 10 {
		t.Errorf("got %+v, want the first version and the tenth", got)
	}
}

// Play keeps the order of the messages of a record, even if one is shipped again.
func TestSource_playOrder(t *testing.T) {
	var frames []xdr.Frame
	for i := range 40 {
		c := user(i%4, integer("a", 1))
		c.Generation, c.LUT = uint32(i+1), changetest.Receipt.UnixMilli()
		f, err := xdr.AppendMessage(nil, &c, changetest.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, f)
	}
	r := newReceiver(t, func(n int, _ *change.Change) xdr.Code { return []xdr.Code{0, 0, 18}[n%3] })
	s := &xdrtest.Source{Address: r.Addr().String(), RetryAfter: time.Millisecond}
	if err := s.Play(t.Context(), frames); err != nil {
		t.Fatal(err)
	}
	generation := map[change.Digest]uint32{}
	for _, v := range r.versions() {
		if v.Generation < generation[v.Digest] {
			t.Errorf("generation %d after %d", v.Generation, generation[v.Digest])
		}
		generation[v.Digest] = v.Generation
	}
	if stats := s.Stats(); stats.Success != 40 || stats.RetryDest == 0 {
		t.Errorf("%s", stats)
	}
}

// A record is read when it is shipped. If it has expired by then, nothing is shipped.
func TestSource_Expire(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String()}
	s.Write(user(1, integer("a", 1)))
	s.Expire("test", digest(1))
	s.Expire("test", digest(2))
	s.Write(user(3, integer("a", 1)))
	running(t, s)
	settle(t, s)
	s.Expire("test", digest(3))
	settle(t, s)
	if stats := s.Stats(); stats.NotFound != 1 || stats.Success != 1 {
		t.Errorf("%s, want one not found, one shipped, and no deletes", stats)
	}
	telling := &xdrtest.Source{Address: r.Addr().String(), Policy: xdrtest.Policy{SupervisorDeletes: true}}
	running(t, telling)
	telling.Write(user(3, integer("a", 2)))
	settle(t, telling)
	telling.Expire("test", digest(3))
	settle(t, telling)
	if got := r.versions(); got[len(got)-1].Op != change.Delete || got[len(got)-1].Generation != 2 {
		t.Errorf("%+v, want a delete of generation 2", got)
	}
}

func TestSource_Recover(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String()}
	for i := range 20 {
		s.Write(user(19-i, integer("a", 1)))
	}
	s.Delete("test", digest(1), change.Delete)
	s.Delete("test", digest(2), change.DurableDelete)
	running(t, s)
	settle(t, s)
	first := len(r.versions())
	s.Rewind("test")
	settle(t, s)
	var partitions []int
	for _, v := range r.versions()[first:] {
		partitions = append(partitions, v.Digest.Partition())
	}
	if len(partitions) != 19 || !slices.IsSorted(partitions) {
		t.Errorf("partitions %v, want all but that of the plain delete, in order", partitions)
	}
	newest := s.Newest("test")[digest(2)].LUT
	s.Recover("test", newest)
	settle(t, s)
	if n := len(r.versions()) - first - 19; n != 0 || s.Stats().Recoveries != 2 {
		t.Errorf("%d changes after the newest", n)
	}
}

func TestSource_settleAbandoned(t *testing.T) {
	r := newReceiver(t, func(n int, _ *change.Change) xdr.Code { return []xdr.Code{4, 2, 0}[n%3] })
	s := &xdrtest.Source{Address: r.Addr().String()}
	for i := range 3 {
		s.Write(user(i, integer("a", 1)))
	}
	running(t, s)
	if err := s.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "abandoned after a reply with code 4") {
		t.Errorf("error %v", err)
	}
	if stats := s.Stats(); stats.Abandoned != 1 || stats.Success != 2 {
		t.Errorf("%s", stats)
	}
}

// The source reconnects after replies without a request, malformed replies, and no replies.
func TestSource_invalidReplies(t *testing.T) {
	for name, answer := range map[string][]byte{
		"one too many": bytes.Repeat(xdr.AppendReply(nil, 0), 3),
		"not a reply":  []byte("HTTP/1.1 400 Bad Request\r\n\r\n"),
		"too large":    {2, 3, 0, 0, 0xff, 0xff, 0xff, 0xff},
		"too short":    {2, 3, 0, 0, 0, 0, 0, 1, 22},
		"no reply":     {},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			s := &xdrtest.Source{Address: l.Addr().String(), RetryAfter: time.Millisecond, AckTimeout: 50 * time.Millisecond}
			running(t, s)
			s.Write(user(1, integer("a", 1)))
			s.Write(user(2, integer("a", 1)))
			first, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := first.Write(answer); err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, first); err != nil && !errors.Is(err, net.ErrClosed) && !strings.Contains(err.Error(), "reset") {
				t.Error(err)
			}
			s.Write(user(3, integer("a", 1)))
			r := &receiver{}
			second, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			go r.serve(second)
			settle(t, s)
			if stats := s.Stats(); stats.Success != 3 {
				t.Errorf("%s", stats)
			}
		})
	}
}

// Connectors share the records. If one is down, the other gets all, and nothing is lost.
func TestSource_severalConnectors(t *testing.T) {
	one, two := newReceiver(t, nil), newReceiver(t, nil)
	s := &xdrtest.Source{Address: one.Addr().String(), Others: []string{two.Addr().String()}, Connections: 2, RetryAfter: time.Millisecond}
	running(t, s)
	for i := range 100 {
		s.Write(user(i, integer("a", 1)))
	}
	settle(t, s)
	if len(one.versions()) == 0 || len(two.versions()) == 0 {
		t.Errorf("%d and %d changes; the records are not shared", len(one.versions()), len(two.versions()))
	}
	two.Close()
	two.hangUp()
	for i := range 100 {
		s.Write(user(i, integer("a", 2)))
	}
	settle(t, s)
	if diff := cmp.Diff(s.Newest("test"), last(slices.Concat(one.versions(), two.versions()))); diff != "" {
		t.Errorf("(-newest +got):\n%s", diff)
	}
}

// The source connects when there is something to ship.
func TestSource_connectsLazily(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String(), Connections: 8}
	running(t, s)
	s.Write(user(8, integer("a", 1)))
	settle(t, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.connections != 1 {
		t.Errorf("%d connections for one record", r.connections)
	}
}

// A record of the largest size that the protocol allows.
func TestSource_largestRecord(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String()}
	running(t, s)
	const overhead = 200
	s.Write(user(1, change.Bin{Name: "large", Value: change.BytesValue(change.KindBlob, make([]byte, xdr.MaxSize-overhead))}))
	for range 300 {
		s.Write(user(2, integer(string(rune('a'+rand.IntN(26)))+string(rune('a'+rand.IntN(26))), 1)))
	}
	settle(t, s)
	s.Write(user(3, change.Bin{Name: "larger", Value: change.BytesValue(change.KindBlob, make([]byte, xdr.MaxSize))}))
	if err := s.Settle(t.Context()); err == nil || !strings.Contains(err.Error(), "the limit of the server is") {
		t.Errorf("error %v", err)
	}
}
