package audit

import (
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
)

const (
	nowSeconds = 1_800_000_000
	watermark  = nowSeconds*1000 - 60_000
	tolerance  = 10 * time.Second
)

func write(lut int64, generation uint32, expiry int64) *State {
	return &State{Version: change.Version{LUT: lut, Generation: generation}, Expiry: expiry}
}

func deletion(lut int64, generation uint32) *State {
	return &State{Version: change.Version{LUT: lut, Generation: generation, Op: change.Delete}}
}

func live(lut int64, generation uint32, expiry int64) *Record {
	return &Record{LUT: lut, Generation: generation, Expiry: expiry}
}

// What look takes for the same must be no finding of judge: it saves reading the record. The
// only exception is what -exact is for, a version with the same generation and expiry.
func TestWindow_judge(t *testing.T) {
	const (
		w     = watermark
		since = watermark - 1_000_000
		soon  = nowSeconds + 1000
	)
	for _, tt := range []struct {
		name  string
		state *State
		live  *Record
		look  verdict
		kind  Kind
		judge verdict
	}{
		{"the same version", write(w-9, 3, 0), live(w-9, 3, 0), same, "", same},
		{"the same version with a TTL", write(w-9, 3, soon), live(w-9, 3, soon), same, "", same},
		{"an expiry a little later", write(w-9, 3, soon), live(w-9, 3, soon+10), same, "", same},
		{"an expiry a little earlier", write(w-9, 3, soon), live(w-9, 3, soon-10), same, "", same},
		{"another expiry", write(w-9, 3, soon), live(w-9, 3, soon+11), suspect, Expiry, found},
		{"an expiry, and the archive has none", write(w-9, 3, 0), live(w-9, 3, soon), suspect, Expiry, found},
		{"no expiry, and the archive has one", write(w-9, 3, soon), live(w-9, 3, 0), suspect, Expiry, found},
		{"an expiry that the archive does not know", write(w-9, 3, change.ExpiryUnknown), live(w-9, 3, soon), same, "", same},

		{"nothing in the archive", nil, live(w-9, 1, 0), suspect, Missing, found},
		{"nothing in the archive at the watermark", nil, live(w, 1, 0), suspect, Missing, found},
		{"nothing in the archive after the watermark", nil, live(w+1, 1, 0), suspect, "", underWay},
		{"nothing in the archive before since", nil, live(since-1, 1, 0), suspect, "", outside},
		{"nothing in the archive, gone when it was read", nil, nil, suspect, "", same},

		{"an older version in the archive", write(w-9, 3, 0), live(w-8, 4, 0), suspect, Stale, found},
		{"an older version after the watermark", write(w-9, 3, 0), live(w+1, 4, 0), suspect, "", underWay},
		{"the generation before the wrap", write(w-9, 65535, 0), live(w-9, 1, 0), suspect, Stale, found},
		{"the generation after the wrap", write(w-9, 1, 0), live(w-9, 65535, 0), suspect, Older, found},
		{"a record that was created again", deletion(w-9, 4), live(w-8, 1, 0), suspect, Stale, found},
		{"a record that was created again in the millisecond of its delete", deletion(w-9, 4), live(w-9, 1, 0), suspect, Stale, found},
		{"a record from before its delete", deletion(w-9, 4), live(w-10, 3, 0), suspect, Revived, found},
		{"a record from before its delete after the watermark", deletion(w+9, 4), live(w-10, 3, 0), suspect, Revived, found},
		{"a newer version in the archive", write(w-8, 4, 0), live(w-9, 3, 0), suspect, Older, found},
		{"a newer version in the archive after the watermark", write(w+8, 4, 0), live(w-9, 3, 0), suspect, Older, found},

		{"gone", write(w-9, 3, 0), nil, suspect, Unexpected, found},
		{"gone, with an expiry", write(w-9, 3, nowSeconds+11), nil, suspect, Unexpected, found},
		{"gone, with an unknown expiry", write(w-9, 3, change.ExpiryUnknown), nil, suspect, Unexpected, found},
		{"expired", write(w-9, 3, nowSeconds-1), nil, outside, "", outside},
		{"about to expire", write(w-9, 3, nowSeconds+10), nil, outside, "", outside},
		{"gone, written after the watermark", write(w+1, 3, 0), nil, underWay, "", underWay},
		{"gone, deleted in the archive", deletion(w-9, 4), nil, same, "", same},
		{"gone, with an unknown LUT", write(0, 3, 0), nil, suspect, Unexpected, found},

		{"an unknown LUT, the same generation", write(0, 3, 0), live(w-9, 3, 0), same, "", same},
		{"an unknown LUT, another generation", write(0, 3, 0), live(w-9, 4, 0), suspect, Stale, found},
		{"an unknown version", write(0, 0, 0), live(w-9, 4, 0), same, "", same},
		{"an unknown generation, the same LUT", write(w-9, 0, 0), live(w-9, 4, 0), same, "", same},
		{"an unknown LUT of a delete", deletion(0, 4), live(w-9, 5, 0), suspect, Stale, found},
	} {
		win := window{since: since, watermark: watermark, tolerance: tolerance}
		if got := win.look(tt.state, tt.live, nowSeconds); got != tt.look {
			t.Errorf("%s: look is %v, want %v", tt.name, got, tt.look)
		}
		if kind, got := win.judge(tt.state, tt.live, nowSeconds); kind != tt.kind || got != tt.judge {
			t.Errorf("%s: %q, %v, want %q, %v", tt.name, kind, got, tt.kind, tt.judge)
		}
	}
}

// A record that is written before since is looked at if the archive has nothing newer: the
// scan has it only if it changed since.
func TestWindow_since(t *testing.T) {
	w := window{since: 1000, watermark: 2000}
	for _, tt := range []struct {
		lut  int64
		want verdict
	}{{999, outside}, {1000, suspect}, {2000, suspect}, {2001, underWay}, {0, suspect}} {
		if got := w.look(write(tt.lut, 1, 0), nil, nowSeconds); got != tt.want {
			t.Errorf("LUT %d: %v, want %v", tt.lut, got, tt.want)
		}
	}
}

func TestWindow_exact(t *testing.T) {
	w := window{watermark: watermark, exact: true}
	state, record := write(watermark-9, 3, 0), live(watermark-5, 3, 0)
	if got := w.look(state, record, nowSeconds); got != suspect {
		t.Errorf("a record with the same generation and expiry: %v, want that it is read", got)
	}
	if kind, got := w.judge(state, record, nowSeconds); kind != Stale || got != found {
		t.Errorf("a record that was created again with the same generation: %q, %v", kind, got)
	}
}
