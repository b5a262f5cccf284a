package audit

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

var pairs = rapid.Custom(func(t *rapid.T) pair {
	digest := change.Digest(rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "digest"))
	set := rapid.String().Draw(t, "set")
	var p pair
	which := rapid.IntRange(1, 3).Draw(t, "sides")
	if which&1 != 0 {
		p.State = &State{
			Digest: digest, Set: set, Expiry: rapid.Int64Range(-1, change.EndOfTime/1000).Draw(t, "expiry"), Object: rapid.String().Draw(t, "object"), Position: 1,
			Version: change.Version{LUT: rapid.Int64().Draw(t, "lut"), Generation: rapid.Uint32().Draw(t, "generation"), Op: change.Op(rapid.IntRange(0, 2).Draw(t, "op"))},
		}
	}
	if which&2 != 0 {
		p.Record = &Record{Digest: digest, Set: set, Generation: rapid.Uint32().Draw(t, "generation"), Expiry: rapid.Int64().Draw(t, "expiry"), LUT: rapid.Int64().Draw(t, "lut")}
	}
	return p
})

// A file of pairs that is opened again, also after an audit that was killed while it wrote,
// has the pairs that the checkpoint counted.
func TestPending_continues(t *testing.T) {
	path := filepath.Join(t.TempDir(), "suspects")
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOf(pairs).Draw(t, "pairs")
		saved := rapid.IntRange(0, len(want)).Draw(t, "saved")
		p := open(t, path, 0, 0)
		add(t, p, want[:saved])
		size, n := p.size, p.n
		add(t, p, want[saved:]) // lost
		if err := p.flush(); err != nil {
			t.Fatal(err)
		}
		if err := p.close(false); err != nil {
			t.Fatal(err)
		}
		p = open(t, path, size, n)
		add(t, p, want[saved:])
		var got []pair
		for x, err := range p.all() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, x)
		}
		if diff := cmp.Diff(want, got); diff != "" && len(want) > 0 {
			t.Fatal(diff)
		}
		if err := p.close(true); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Fatalf("the file is still there: %v", err)
		}
	})
}

func open(t *rapid.T, path string, size, n int64) *pending {
	t.Helper()
	p, err := openPending(path, size, n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func add(t *rapid.T, p *pending, all []pair) {
	t.Helper()
	for _, x := range all {
		if err := p.add(x); err != nil {
			t.Fatal(err)
		}
	}
}

// A file that has lost pairs would make an audit that looks better than it is.
func TestPending_tooShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "suspects")
	if err := os.WriteFile(path, []byte("{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openPending(path, 4, 1); err == nil {
		t.Error("a file that is shorter than the checkpoint says was opened")
	}
	p, err := openPending(path, 3, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.close(false) }()
	var last error
	for _, err := range p.all() {
		last = err
	}
	if last == nil {
		t.Error("a pair that is not there was read")
	}
}
