package replay_test

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay"
)

// files is an archive of three files, of which the second has three chunks.
func files(t *testing.T) (folder string, want []string) {
	t.Helper()
	changes := orders(2800)
	return store(t, map[string][]byte{
		"1.ndjson": lines(t, changes[:10]), "2.avro": archives[".avro"](t, changes[10:2710]), "3.parquet": archives[".parquet"](t, changes[2710:]),
	}), describe(changes)
}

// A replay that is interrupted in any of its five chunks stores that chunk, and the next
// one continues after it: every change arrives once.
func TestRun_interrupted(t *testing.T) {
	from, want := files(t)
	for _, stops := range []int{0, 1, 2, 4, 8, 16, 0b10101, 0b01110, 0b11111} { // a bit for each chunk in which it is interrupted
		var m memory
		o, out := options(from, m.spec())
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		var s replay.Summary
		for runs := 0; ; runs++ {
			ctx, cancel := context.WithCancel(t.Context())
			m.verdict = func(*format.Parsed) error {
				if stops&(1<<(len(m.puts)-1)) != 0 {
					cancel()
				}
				return nil
			}
			var err error
			s, err = replay.Run(ctx, o)
			cancel()
			if err == nil {
				break
			}
			if runs > 5 || !strings.Contains(err.Error(), "interrupted; run it with the same arguments to continue from "+o.Checkpoint) {
				t.Fatalf("interrupted in %05b: error %v\n%s", stops, err, out.String())
			}
		}
		if !slices.Equal(m.got, want) || s.Changes != len(want) || s.Objects != 3 {
			t.Errorf("interrupted in %05b: %d changes, want %d; %s", stops, len(m.got), len(want), s)
		}
		if _, err := os.Stat(o.Checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the checkpoint is still there: %v", err)
		}
	}
}

// interrupt replays until the first chunk of the second file is stored.
func interrupt(t *testing.T, o replay.Options, m *memory) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	m.verdict = func(*format.Parsed) error {
		if len(m.puts) == 2 {
			cancel()
		}
		return nil
	}
	if s, err := replay.Run(ctx, o); err == nil || s.Changes != 1010 {
		t.Fatalf("%s; error %v", s, err)
	}
	m.verdict = nil
}

// A file that has changed is read from its beginning. The filter keeps the time of the
// first run, and says so.
func TestCheckpoint_fileChanged(t *testing.T) {
	from, want := files(t)
	var m memory
	o, out := options(from, m.spec())
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	o.Filter.Since = time.UnixMilli(1)
	interrupt(t, o, &m)
	if err := os.Chtimes(filepath.Join(from, "2.avro"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	o.Filter.Since = time.Now().AddDate(100, 0, 0)
	run(t, o)
	if !slices.Equal(m.got, slices.Concat(want[:1010], want[10:])) {
		t.Errorf("%d changes", len(m.got))
	}
	if want := "continuing with the times of " + o.Checkpoint + ": since 1970-01-01T00:00:00.001Z\n"; strings.Count(out.String(), want) != 1 {
		t.Errorf("the output lacks %q:\n%s", want, out)
	}
}

// Changes that were refused before the interruption still count after it.
func TestCheckpoint_keepsErrors(t *testing.T) {
	from := store(t, map[string][]byte{"1.ndjson": []byte("nothing\n"), "2.ndjson": lines(t, orders(3))})
	m := &memory{}
	o, _ := options(from, m.spec())
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m.verdict = func(*format.Parsed) error {
		cancel()
		return errors.New("unavailable")
	}
	if _, err := replay.Run(ctx, o); err == nil {
		t.Fatal("it was not interrupted")
	}
	m.verdict = nil
	s, err := runOnce(t, o)
	if err != nil || s.Unreadable != 1 || s.Changes != 3 || s.Err() == nil {
		t.Errorf("%s; errors %v, %v", s, err, s.Err())
	}
}

func TestCheckpoint_invalid(t *testing.T) {
	from, _ := files(t)
	var m memory
	o, _ := options(from, m.spec())
	o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
	interrupt(t, o, &m)
	others := map[string]func(o *replay.Options){
		"from":      func(o *replay.Options) { o.From += "/." },
		"to":        func(o *replay.Options) { o.To = append(o.To, o.To...) },
		"namespace": func(o *replay.Options) { o.Filter.Namespaces = []string{"shop"} },
		"set":       func(o *replay.Options) { o.Filter.Sets = []string{""} },
		"until":     func(o *replay.Options) { o.Filter.Until = time.Now() },
	}
	for _, name := range slices.Sorted(maps.Keys(others)) {
		other := o
		others[name](&other)
		if _, err := runOnce(t, other); err == nil || !strings.Contains(err.Error(), "belongs to a replay with other arguments") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for path, want := range map[string]string{filepath.Join(from, "1.ndjson"): "is not a checkpoint", from: "read checkpoint", filepath.Join(from, "no", "file"): "write checkpoint"} {
		o.Checkpoint = path
		if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
}
