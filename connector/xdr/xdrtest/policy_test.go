package xdrtest_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// The messages of a record that is created, updated and deleted, under each configuration of
// a data centre.
func TestPolicy_messages(t *testing.T) {
	const write, deleted = "10 01", "10 03"
	for name, tt := range map[string]struct {
		policy xdrtest.Policy
		info   []string // info1, info2 and info3 of each message
		bins   [][]string
	}{
		"all":          {xdrtest.Policy{}, []string{write + " 10", write + " 10", deleted + " 00"}, [][]string{{"a", "b"}, {"a", "c"}, nil}},
		"no bins":      {xdrtest.Policy{Bins: xdrtest.NoBins}, []string{write + " 10", write + " 10", deleted + " 00"}, [][]string{nil, nil, nil}},
		"only changed": {xdrtest.Policy{Bins: xdrtest.OnlyChanged}, []string{write + " 00", write + " 00", deleted + " 00"}, [][]string{{"a", "b"}, {"b deleted", "c"}, nil}},
		"bin LUTs":     {xdrtest.Policy{Bins: xdrtest.OnlyChanged, BinLUTs: true}, []string{"10 11 00", "10 11 00", deleted + " 00"}, [][]string{{"a", "b"}, {"b deleted", "c"}, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newReceiver(t, nil)
			tt.policy.SourceID = 9
			s := &xdrtest.Source{Address: r.Addr().String(), Policy: tt.policy}
			running(t, s)
			s.Write(user(1, integer("a", 1), integer("b", 1)))
			settle(t, s)
			s.Write(user(1, change.Bin{Name: "b"}, integer("c", 2)))
			settle(t, s)
			s.Delete("test", digest(1), change.Delete)
			settle(t, s)
			var info []string
			var bins [][]string
			r.mu.Lock()
			defer r.mu.Unlock()
			for i, f := range r.frames {
				info = append(info, hexOf(f[9:12]))
				bins = append(bins, namesOf(r.changes[i]))
				if c := r.changes[i]; c.SourceID != 9 || c.Generation != uint32(i+1) || c.Key.Integer() != 1 || c.Expiry != 0 {
					t.Errorf("message %d: %+v", i, c)
				}
			}
			if diff := cmp.Diff(tt.info, info); diff != "" {
				t.Errorf("info (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.bins, bins); diff != "" {
				t.Errorf("bins (-want +got):\n%s", diff)
			}
		})
	}
}

func namesOf(c change.Change) []string {
	var names []string
	for _, b := range c.Bins {
		if b.Value.Kind() == change.KindNil {
			b.Name += " deleted"
		}
		names = append(names, b.Name)
	}
	return names
}

// A bin that the connector has not seen has its own time.
func TestPolicy_binLUTs(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String(), Policy: xdrtest.Policy{Bins: xdrtest.OnlyChanged, BinLUTs: true, SourceID: 4}}
	first := s.Write(user(1, integer("a", 1)))
	second := s.Write(user(1, integer("b", 1)))
	running(t, s)
	settle(t, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.changes[0]
	if len(c.Bins) != 2 || c.LUT != second.LUT || c.Bins[0].LUT != first.LUT || c.Bins[0].SourceID != 4 || c.Bins[1].LUT != 0 {
		t.Errorf("%+v, want bin a with the time %d and b with none of its own", c, first.LUT)
	}
}

func TestPolicy_hideKeys(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String(), Policy: xdrtest.Policy{HideKeys: true, Compress: true}}
	c := user(1, change.Bin{Name: "zeros", Value: change.BytesValue(change.KindBlob, make([]byte, 1000))})
	c.Set = ""
	s.Write(c)
	running(t, s)
	settle(t, s)
	r.mu.Lock()
	defer r.mu.Unlock()
	if got := r.changes[0]; got.Set != "" || got.Key.Kind() != change.KindNil || !r.frames[0].Compressed() || len(r.frames[0]) > 200 {
		t.Errorf("%+v in %d bytes", got, len(r.frames[0]))
	}
}

func hexOf(b []byte) string { return fmt.Sprintf("% x", b) }

// A connector that has the record of before a delete which was not shipped gets the whole new
// record, and not an update.
func TestPolicy_createdAgain(t *testing.T) {
	r := newReceiver(t, nil)
	s := &xdrtest.Source{Address: r.Addr().String(), Policy: xdrtest.Policy{Bins: xdrtest.OnlyChanged}}
	s.Write(user(1, integer("a", 1), integer("b", 1)))
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() { s.Run(ctx) })
	settle(t, s)
	stop()
	wg.Wait()
	s.Delete("test", digest(1), change.Delete)
	s.Write(user(1, integer("c", 1)))
	running(t, s)
	settle(t, s)
	s.Update("test", digest(1), func(now *change.Change) *change.Change {
		c := *now
		c.Bins = []change.Bin{integer("d", 1)}
		return &c
	})
	settle(t, s)
	r.mu.Lock()
	got := r.changes
	r.mu.Unlock()
	if len(got) != 3 || got[0].Mode != change.Update || got[1].Mode != change.Replace || len(got[1].Bins) != 1 || got[1].Generation != 1 {
		t.Fatalf("%+v", got)
	}
	if bins := got[2].Bins; got[2].Mode != change.Update || len(bins) != 2 || bins[0].Name != "d" || bins[1].Name != "c" || bins[1].Value.Kind() != change.KindNil {
		t.Errorf("after a replace: %+v, want d written and c deleted", got[2])
	}
}
