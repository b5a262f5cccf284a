package replay_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// database is a sink that applies changes to records, as an Aerospike namespace does.
type database struct {
	// before, unless nil, is called before each Put; its error is the verdict on all changes.
	before func(put int) error

	mu      sync.Mutex
	puts    int
	records map[change.Digest]string // as recordOf describes them
	bins    map[change.Digest]map[string]string
	applied map[change.Digest]int // how often a change was applied
}

func newDatabase() *database {
	return &database{records: map[change.Digest]string{}, bins: map[change.Digest]map[string]string{}, applied: map[change.Digest]int{}}
}

func (d *database) spec() sink.Spec {
	return sink.Spec{URL: "database:", Bins: true, New: func(context.Context) (sink.Sink, error) { return d, nil }}
}

// Put implements sink.Sink.
func (d *database) Put(_ context.Context, b sink.Batch) sink.Verdicts {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.puts++
	if d.before != nil {
		if err := d.before(d.puts); err != nil {
			return sink.All(len(b.Changes), err)
		}
	}
	for i := range b.Changes {
		d.apply(&b.Changes[i].Change)
	}
	return nil
}

// Close implements sink.Sink.
func (d *database) Close() error { return nil }

// apply applies a change.
func (d *database) apply(c *change.Change) {
	d.applied[c.Digest]++
	if c.Op.IsDelete() {
		delete(d.records, c.Digest)
		delete(d.bins, c.Digest)
		return
	}
	bins := map[string]string{}
	if c.Mode == change.Update {
		maps.Copy(bins, d.bins[c.Digest])
	}
	for _, b := range c.Bins {
		if b.Value.Kind() == change.KindNil {
			delete(bins, b.Name)
			continue
		}
		bins[b.Name] = fmt.Sprint(b.Value.Kind(), b.Value.Integer(), b.Value.Double(), string(b.Value.Bytes()))
	}
	d.bins[c.Digest] = bins
	d.records[c.Digest] = fmt.Sprintf("%s %x %d %v", c.Set, c.Key.Bytes(), c.Expiry, bins)
}

// history is what some clients did to a database, and what it shipped.
type history struct {
	shipped   []change.Change
	snapshots map[int64]map[change.Digest]string // the records at a time, in Unix milliseconds
}

// begin is before the first change of a history, in Unix milliseconds.
var begin = sinktest.Hour.UnixMilli()

// makeHistory makes a history of n changes of few records, in a random but fixed order. If
// partial, changes have only the bins that were written.
func makeHistory(n int, partial bool, seed uint64) history {
	random := rand.New(rand.NewPCG(seed, 1))
	h := history{snapshots: map[int64]map[change.Digest]string{}}
	d := newDatabase()
	generations := map[change.Digest]uint32{}
	lut := begin
	every := n / 10
	for i := range n {
		if i%every == every/2 {
			lut++
			h.snapshots[lut] = maps.Clone(d.records)
		}
		lut += int64(random.IntN(2))
		var c change.Change
		c.Namespace, c.Set, c.LUT = "shop", "orders", lut
		binary.LittleEndian.PutUint32(c.Digest[:], random.Uint32N(uint32(n/8+1))*0x9e3779b1)
		c.Key = change.StringValue(fmt.Appendf(nil, "key-%x", c.Digest[:2]))
		generation := generations[c.Digest] + 1
		c.Generation = generation
		if _, exists := d.records[c.Digest]; exists && random.IntN(6) == 0 {
			c.Op = change.Op(1 + random.IntN(2))
			generation = 0
		} else {
			c.Mode = change.Replace
			if random.IntN(3) == 0 {
				c.Expiry = sinktest.Hour.AddDate(50, 0, 0).Unix() + int64(i)
			}
			c.Bins = randomBins(random, i)
			if partial && exists {
				c.Mode = change.Update
				c.Bins = c.Bins[:1+random.IntN(2)]
			}
		}
		generations[c.Digest] = generation
		d.apply(&c)
		h.shipped = append(h.shipped, c)
	}
	h.snapshots[lut+1] = maps.Clone(d.records)
	return h
}

// randomBins returns three bins that every format can express.
func randomBins(random *rand.Rand, i int) []change.Bin {
	bins := []change.Bin{
		{Name: "n", Value: change.IntegerValue(int64(i))},
		{Name: "text", Value: change.StringValue(bytes.Repeat([]byte("x"), random.IntN(20)))},
		{Name: "price", Value: change.DoubleValue(float64(i) + 0.5)},
	}
	random.Shuffle(len(bins), func(i, j int) { bins[i], bins[j] = bins[j], bins[i] })
	return bins
}

// archive writes changes into objects of some size, in the order of time, with names that are
// not in that order. It returns the folder.
func archive(t testing.TB, ext string, changes []change.Change, size int) string {
	t.Helper()
	folder := t.TempDir()
	i := 0
	for part := range slices.Chunk(changes, size) {
		path := filepath.Join(folder, fmt.Sprintf("%02x-%d%s", byte(i*37), i, ext))
		if err := os.WriteFile(path, archives[ext](t, part), 0o600); err != nil {
			t.Fatal(err)
		}
		at := sinktest.Hour.Add(time.Duration(i) * time.Second)
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		i++
	}
	return folder
}

// restoreOptions returns options for a restore up to a time in Unix milliseconds, 0 for all.
func restoreOptions(from string, until int64, to ...sink.Spec) (replay.Options, *changetest.Output) {
	o, out := options(from, to...)
	o.Restore = &replay.Restore{Mode: change.Replace}
	o.Filter.Namespaces = []string{"shop"}
	if until > 0 {
		o.Filter.Until = time.UnixMilli(until)
	}
	return o, out
}

// check compares the records of a database.
func check(t *testing.T, what string, want map[change.Digest]string, got *database) {
	t.Helper()
	if diff := cmp.Diff(want, got.records); diff != "" {
		t.Errorf("%s (-want +got):\n%.3000s", what, diff)
	}
}

// A restore from an archive of any format is the database as it was at each of ten times, and
// each record is written or deleted once.
func TestRestore_everyFormat(t *testing.T) {
	const n = 3000
	for ext := range archives {
		for _, partial := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s partial=%t", ext, partial), func(t *testing.T) {
				h := makeHistory(n, partial, 1)
				from := archive(t, ext, h.shipped, 700)
				for until, want := range h.snapshots {
					d := newDatabase()
					o, _ := restoreOptions(from, until, d.spec())
					if partial && strings.HasPrefix(ext, ".ndjson") {
						o.Restore.Mode = change.Update // lines do not say the mode
					}
					s := run(t, o)
					check(t, fmt.Sprint("until ", until), want, d)
					for digest, n := range d.applied {
						if n != 1 {
							t.Errorf("%x written %d times", digest, n)
						}
					}
					if s.Records != len(want) || s.Records+s.Deletes != len(d.applied) || s.Updated != 0 {
						t.Errorf("%s; want %d records of %d", s, len(want), len(d.applied))
					}
				}
				if len(h.snapshots) < 10 {
					t.Errorf("%d times", len(h.snapshots))
				}
			})
		}
	}
}

// Restoring over other data ends in the state at that time, for all records that the archive
// knows at that time. A second restore changes nothing. Other records stay.
func TestRestore_overData(t *testing.T) {
	h := makeHistory(2000, true, 2)
	from := archive(t, ".avro", h.shipped, 500)
	d := newDatabase()
	for i := range h.shipped {
		d.apply(&h.shipped[i])
	}
	stranger := change.Change{Digest: change.Digest{1, 2, 3}, Bins: []change.Bin{{Name: "n", Value: change.IntegerValue(1)}}}
	d.apply(&stranger)
	for until, want := range h.snapshots {
		known := map[change.Digest]bool{}
		for i := range h.shipped {
			if h.shipped[i].LUT < until {
				known[h.shipped[i].Digest] = true
			}
		}
		for digest, r := range d.records {
			if !known[digest] {
				want[digest] = r
			}
		}
		for range 2 {
			o, _ := restoreOptions(from, until, d.spec())
			run(t, o)
			check(t, fmt.Sprint("until ", until), want, d)
		}
	}
	if d.records[stranger.Digest] == "" {
		t.Error("a record that the archive does not know is gone")
	}
}

// A restore that is interrupted in any of its batches continues, and the state is that of one
// that is not.
func TestRestore_interrupted(t *testing.T) {
	h := makeHistory(20_000, true, 3)
	from := archive(t, ".avro", h.shipped, 2500)
	until, want := begin+1<<40, h.snapshots[slices.Max(slices.Collect(maps.Keys(h.snapshots)))]
	whole := newDatabase()
	o, _ := restoreOptions(from, until, whole.spec())
	uninterrupted := run(t, o)
	if whole.puts < 3 {
		t.Fatalf("only %d batches", whole.puts)
	}
	for stop := 1; stop <= whole.puts; stop++ {
		d := newDatabase()
		o, out := restoreOptions(from, until, d.spec())
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(t.Context())
		d.before = func(put int) error {
			if put == stop {
				cancel()
			}
			return nil
		}
		s, err := replay.Run(ctx, o)
		if err == nil || !strings.Contains(err.Error(), "interrupted; run it with the same arguments to continue from "+o.Checkpoint) {
			t.Fatalf("batch %d: %s, error %v", stop, s, err)
		}
		d.before = nil
		s = run(t, o)
		check(t, fmt.Sprint("batch ", stop), want, d)
		if s != uninterrupted {
			t.Errorf("batch %d: %s\nwant %s\n%s", stop, s, uninterrupted, out)
		}
		if _, err := os.Stat(o.Checkpoint); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the checkpoint is still there: %v", err)
		}
		again := 0
		for _, n := range d.applied {
			again += n - 1
		}
		if most := 6 * objects.ChunkChanges; again > most {
			t.Errorf("batch %d: %d records written again, want at most %d", stop, again, most)
		}
	}
}

// A restore that is interrupted within a bucket of joined updates does that bucket again, and
// counts each record once.
func TestRestore_interruptedInBucket(t *testing.T) {
	changes := orders(6000)
	for i := range changes {
		changes[i].Digest = change.Digest{0, 0, byte(i / 2), byte(i / 2 >> 8)} // in one partition
		changes[i].Generation, changes[i].Mode = uint32(1+i%2), change.Update
	}
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)})
	for stop := 1; stop <= 3; stop++ {
		d := newDatabase()
		o, out := restoreOptions(from, 0, d.spec())
		o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
		ctx, cancel := context.WithCancel(t.Context())
		d.before = func(put int) error {
			if put == stop {
				cancel()
			}
			return nil
		}
		if _, err := replay.Run(ctx, o); err == nil {
			t.Fatal("it was not interrupted")
		}
		d.before = nil
		if s := run(t, o); s.Records != 3000 || len(d.records) != 3000 {
			t.Errorf("batch %d: %s; %d records\n%s", stop, s, len(d.records), out)
		}
	}
}

// A restore that continues leaves out objects that were written since it began. If one that it
// began with has changed, it begins anew.
func TestRestore_archiveChanges(t *testing.T) {
	h := makeHistory(20_000, false, 4)
	newer := h.shipped[len(h.shipped)-1]
	newer.LUT += 1000
	newer.Bins = []change.Bin{{Name: "newer", Value: change.IntegerValue(1)}}
	want := h.snapshots[slices.Max(slices.Collect(maps.Keys(h.snapshots)))]
	for name, tt := range map[string]struct {
		alter  func(t *testing.T, folder string)
		output string
	}{
		"a new object": {func(t *testing.T, folder string) {
			if err := os.WriteFile(filepath.Join(folder, "0.ndjson"), lines(t, []change.Change{newer}), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "continuing after "},
		"an object touched": {func(t *testing.T, folder string) {
			if err := os.Chtimes(filepath.Join(folder, "00-0.avro"), time.Time{}, sinktest.Hour.Add(-time.Second)); err != nil {
				t.Fatal(err)
			}
		}, "the archive has changed since the restore began; it begins anew\n"},
	} {
		t.Run(name, func(t *testing.T) {
			from := archive(t, ".avro", h.shipped, 3000)
			d := newDatabase()
			o, out := restoreOptions(from, 0, d.spec())
			o.Checkpoint = filepath.Join(t.TempDir(), "checkpoint")
			ctx, cancel := context.WithCancel(t.Context())
			d.before = func(put int) error {
				if put == 2 {
					cancel()
				}
				return nil
			}
			if _, err := replay.Run(ctx, o); err == nil {
				t.Fatal("it was not interrupted")
			}
			d.before = nil
			tt.alter(t, from)
			run(t, o)
			check(t, name, want, d)
			if !strings.Contains(out.String(), tt.output) {
				t.Errorf("the output lacks %q:\n%s", tt.output, out)
			}
		})
	}
}

// A target that goes away is waited for.
func TestRestore_targetAway(t *testing.T) {
	h := makeHistory(40_000, false, 5)
	d := newDatabase()
	d.before = func(put int) error {
		if put == 2 || put == 3 {
			return errors.New("the node is away")
		}
		return nil
	}
	o, out := restoreOptions(archive(t, ".parquet", h.shipped, 10_000), 0, d.spec())
	run(t, o)
	check(t, "at the end", h.snapshots[slices.Max(slices.Collect(maps.Keys(h.snapshots)))], d)
	if !strings.Contains(out.String(), "store changes: retrying in 500ms: the node is away") {
		t.Errorf("the output: %q", out)
	}
}

// A restore from which something is missing says so, and does not end well.
func TestRestore_incomplete(t *testing.T) {
	changes := orders(30)
	noBins := orders(1)
	noBins[0].Bins, noBins[0].Mode, noBins[0].LUT = nil, change.Replace, changes[0].LUT+1
	for name, tt := range map[string]struct {
		alter   func(files map[string][]byte)
		records int
		output  string
		err     string
	}{
		"cut off": {func(files map[string][]byte) { files["b.avro"] = files["b.avro"][:len(files["b.avro"])-20] }, 20, "b.avro: damaged or deleted: ", "1 damaged object"},
		"checksum": {func(files map[string][]byte) {
			zipped := archives[".ndjson.gz"](t, changes[10:20])
			files["b.ndjson.gz"] = zipped[:len(zipped)-4] // all lines can be read
			delete(files, "b.avro")
		}, 30, "b.ndjson.gz: damaged or deleted: ", "1 damaged object"},
		"line": {func(files map[string][]byte) { files["a.ndjson"] = append(files["a.ndjson"], "x\n"...) }, 30, "a.ndjson:11: not a change: ", "1 unreadable line"},
		"bins": {func(files map[string][]byte) {
			files["a.ndjson"] = bytes.Replace(files["a.ndjson"], []byte(`"type":"int","value":0`), []byte(`"type":"int","value":"x"`), 1)
		}, 29, "a.ndjson:1: not a change: ", "1 unreadable line"},
		"no bins":     {func(files map[string][]byte) { files["d.avro"] = archives[".avro"](t, noBins) }, 29, "d.avro:1: the newest version of a record was shipped without bins", "1 record without bins"},
		"dead letter": {func(files map[string][]byte) { files["d.ndjson"] = letter(format.MediaNDJSON, []byte("x")) }, 30, "d.ndjson:1: not a change: ", "1 unreadable line"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string][]byte{
				"a.ndjson": lines(t, changes[:10]), "b.avro": archives[".avro"](t, changes[10:20]), "c.parquet": archives[".parquet"](t, changes[20:]),
			}
			tt.alter(files)
			d := newDatabase()
			o, out := restoreOptions(store(t, files), 0, d.spec())
			s, err := runOnce(t, o)
			if err != nil || s.Records != tt.records || len(d.records) != tt.records || s.Err() == nil || s.Err().Error() != "replay: incomplete: "+tt.err+"; see above" {
				t.Errorf("%s; %d records; errors %v, %v\n%s", s, len(d.records), err, s.Err(), out)
			}
			if strings.Count(out.String(), tt.output) != 1 {
				t.Errorf("the output does not have %q once:\n%s", tt.output, out)
			}
		})
	}
}

// An object that disappears or changes between the two passes is reported.
func TestRestore_betweenPasses(t *testing.T) {
	for name, alter := range map[string]func(path string) error{
		"deleted": os.Remove,
		"altered": func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"altered, with the same size and time": func(path string) error {
			info, err := os.Stat(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path, bytes.Repeat([]byte("\n"), int(info.Size())), 0o600), os.Chtimes(path, time.Time{}, info.ModTime()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			const files = 12 // the last is not read ahead before the first is written
			changes := orders(1000 * files)
			content := map[string][]byte{}
			for i := range files {
				content[fmt.Sprintf("%02d.ndjson", i)] = lines(t, changes[i*1000:(i+1)*1000])
			}
			from := store(t, content)
			d := newDatabase()
			d.before = func(put int) error {
				if put == 1 {
					return alter(filepath.Join(from, "11.ndjson"))
				}
				return nil
			}
			o, out := restoreOptions(from, 0, d.spec())
			s, err := runOnce(t, o)
			if err != nil || s.Damaged != 1 || s.Err() == nil || len(d.records) != 1000*(files-1) {
				t.Errorf("%s; error %v; %d records\n%s", s, err, len(d.records), out)
			}
		})
	}
}

// Refused changes are reported with object and line.
func TestRestore_refused(t *testing.T) {
	refusing := &memory{verdict: func(p *format.Parsed) error {
		if p.Change.Digest[0] == 7 {
			return change.Permanent(errors.New("too large"))
		}
		return nil
	}}
	o, out := restoreOptions(store(t, map[string][]byte{"a.ndjson": lines(t, orders(10))}), 0, refusing.spec())
	s, err := runOnce(t, o)
	if err != nil || s.Refused != 1 || s.Err() == nil || !strings.Contains(out.String(), "a.ndjson:8: refused: too large") {
		t.Errorf("%s; errors %v, %v\n%s", s, err, s.Err(), out)
	}
}

// Records that have expired are deleted, not written.
func TestRestore_expired(t *testing.T) {
	now := time.Now()
	changes := orders(4)
	changes[0].Expiry = now.Add(-time.Hour).Unix()
	changes[1].Expiry = now.Add(time.Hour).Unix()
	changes[2].Expiry = change.ExpiryUnknown
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)})
	for name, tt := range map[string]struct {
		restore replay.Restore
		until   time.Time
		expired int
	}{
		"remaining":                     {replay.Restore{}, time.Time{}, 1},
		"own TTL, now":                  {replay.Restore{OwnTTL: true}, time.Time{}, 1},
		"own TTL, before it expired":    {replay.Restore{OwnTTL: true}, now.Add(-2 * time.Hour), 0},
		"remaining, before it expired":  {replay.Restore{}, now.Add(-2 * time.Hour), 1},
		"own TTL, after both, in 2 h":   {replay.Restore{OwnTTL: true}, now.Add(2 * time.Hour), 2},
		"own TTL, just when it expired": {replay.Restore{OwnTTL: true}, time.Unix(changes[0].Expiry, 0), 1},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDatabase()
			for i := range changes {
				d.apply(&changes[i])
			}
			o, _ := restoreOptions(from, 0, d.spec())
			o.Restore = &tt.restore
			for i := range changes { // the update times of orders are in the future of these tests, or not
				changes[i].LUT = now.Add(-3 * time.Hour).UnixMilli()
			}
			o.From = store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)})
			o.Filter.Until = tt.until
			s := run(t, o)
			if s.Expired != tt.expired || s.Records != 4-tt.expired || len(d.records) != 4-tt.expired {
				t.Errorf("%s; %d records; want %d expired", s, len(d.records), tt.expired)
			}
		})
	}
}

// If an archive in JSON has deleted bins, its writes are not whole records, and restoring them
// as such would lose bins.
func TestRestore_deletedBin(t *testing.T) {
	changes := orders(2)
	changes[1].Bins = []change.Bin{{Name: "n"}}
	changes[1].Digest, changes[1].Generation = changes[0].Digest, 2
	from := store(t, map[string][]byte{"a.ndjson": lines(t, changes)})
	d := newDatabase()
	o, _ := restoreOptions(from, 0, d.spec())
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "a.ndjson:2: the change deletes a bin") || !strings.Contains(err.Error(), "write=update") || len(d.records) != 0 {
		t.Errorf("error %v, %d records", err, len(d.records))
	}
	o.Restore.Mode = change.Update
	if s := run(t, o); s.Records != 1 || len(d.bins[changes[0].Digest]) != 1 {
		t.Errorf("%s; %v", s, d.bins)
	}
}

// Records of which the archive has only updates are updated in the target, and counted.
func TestRestore_onlyUpdates(t *testing.T) {
	changes := orders(2)
	for i := range changes {
		changes[i].Mode, changes[i].Generation, changes[i].Digest = change.Update, uint32(5+i), change.Digest{1}
		changes[i].Bins = changes[i].Bins[i : i+1]
	}
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)})
	d := newDatabase()
	d.apply(&change.Change{Digest: change.Digest{1}, Bins: []change.Bin{{Name: "old", Value: change.IntegerValue(1)}}})
	o, _ := restoreOptions(from, 0, d.spec())
	s := run(t, o)
	if got := slices.Sorted(maps.Keys(d.bins[change.Digest{1}])); s.Updated != 1 || !slices.Equal(got, []string{"n", "old", "text"}) {
		t.Errorf("%s; bins %v", s, got)
	}
	if want := "1 record of which the archive has only updates"; !strings.Contains(s.String(), want) {
		t.Errorf("%q lacks %q", s, want)
	}
}

// Dead letters count as changes. From dead letters alone nothing is restored unless that is
// allowed, since they may be older than the target.
func TestRestore_deadLetters(t *testing.T) {
	changes := orders(2)
	changes[1].Digest, changes[1].Generation = changes[0].Digest, 2
	dead := letter(format.MediaNDJSON, lines(t, changes[1:]))
	d := newDatabase()
	o, _ := restoreOptions(store(t, map[string][]byte{"a.ndjson": lines(t, changes[:1]), "b.ndjson": dead}), changes[1].LUT+1, d.spec())
	if s := run(t, o); s.Records != 1 || !strings.Contains(d.records[changes[0].Digest], fmt.Sprint(map[string]string{})[:3]) {
		t.Errorf("%s; %v", s, d.records)
	}
	want := newDatabase()
	want.apply(&changes[1])
	check(t, "with the dead letter", want.records, d)

	o.From = store(t, map[string][]byte{"b.ndjson": dead})
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "there are only dead letters") || !strings.Contains(err.Error(), "versions=none") {
		t.Errorf("error %v", err)
	}
	o.Restore.DeadLetters = true
	if s := run(t, o); s.Records != 1 {
		t.Errorf("%s", s)
	}
}

// A restore is of one namespace, and of some sets if they are named.
func TestRestore_names(t *testing.T) {
	changes := orders(6)
	for i, name := range []string{"", "a/b ?%\x00é\n", "__HIVE_DEFAULT_PARTITION__", strings.Repeat("s", 63), "=", ".."} {
		changes[i].Set = name
	}
	other := orders(1)
	other[0].Namespace, other[0].LUT = "users", other[0].LUT+1000
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes), "b.avro": archives[".avro"](t, other)})
	for _, sets := range [][]string{nil, {""}, {changes[1].Set}, {changes[2].Set, changes[4].Set}} {
		d := newDatabase()
		o, _ := restoreOptions(from, 0, d.spec())
		o.Filter.Sets = sets
		want := newDatabase()
		for i := range changes {
			if sets == nil || slices.Contains(sets, changes[i].Set) {
				want.apply(&changes[i])
			}
		}
		run(t, o)
		check(t, fmt.Sprintf("%q", sets), want.records, d)
	}
	for _, namespaces := range [][]string{nil, {"shop", "users"}} {
		o, _ := restoreOptions(from, 0, newDatabase().spec())
		o.Filter.Namespaces = namespaces
		if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "the name of one namespace") {
			t.Errorf("%q: error %v", namespaces, err)
		}
	}
	o, _ := restoreOptions(from, 0, newDatabase().spec())
	o.Filter.Namespaces = []string{"shpo"}
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "the filter selects none of the changes in "+from+" (7 changes)") {
		t.Errorf("error %v", err)
	}
}

// A dry run says what a restore would write, and writes nothing.
func TestRestore_dryRun(t *testing.T) {
	changes := orders(6)
	changes[1].Op, changes[1].Bins = change.Delete, nil
	changes[2].Expiry = 1000
	changes[3].Bins, changes[3].Mode = nil, change.Replace
	o, _ := restoreOptions(store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes), "b.ndjson": []byte("x\n")}), 0)
	s, err := runOnce(t, o)
	if err != nil || s.Err() == nil {
		t.Errorf("errors %v, %v", err, s.Err())
	}
	want := "2 objects, 6 changes, 3 records (69 bytes), 1 delete, 1 expired, 1 record without bins, 1 unreadable line"
	if s.String() != want {
		t.Errorf("%q, want %q", s, want)
	}
}

// If there is no space for temporary files, the error names the setting.
func TestRestore_noTemporaryDirectory(t *testing.T) {
	changes := orders(1000)
	for i := range changes {
		changes[i].Digest = change.Digest{0, 0, byte(i), byte(i >> 8)} // in one partition
	}
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, changes)})
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "no"))
	d := newDatabase()
	o, _ := restoreOptions(from, 0, d.spec())
	if _, err := runOnce(t, o); err == nil || !strings.Contains(err.Error(), "write a temporary file: ") || !strings.Contains(err.Error(), "set TMPDIR") || len(d.records) != 0 {
		t.Errorf("error %v, %d records", err, len(d.records))
	}
}

// A restore keeps to the rate, and says how many records are left and for how long.
func TestRestore_progress(t *testing.T) {
	from := store(t, map[string][]byte{"a.avro": archives[".avro"](t, orders(5000))})
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		d := newDatabase()
		o, out := restoreOptions(from, 0, d.spec())
		o.Rate = 103 // so that no batch ends at the same instant as a line of progress
		if _, err := replay.Run(t.Context(), o); err != nil {
			t.Error(err)
		}
		if taken := time.Since(begun).Round(time.Second); taken != 39*time.Second {
			t.Errorf("it took %s", taken)
		}
		printed := strings.Split(strings.TrimSpace(out.String()), "\n")
		for _, line := range printed { // batches may keep to the rate in another order than they are counted
			if !regexp.MustCompile(`^(0 of 5000 records, 0/s|[1-4]000 of 5000 records, \d+/s, (\dm)?\d+s left)$`).MatchString(line) {
				t.Errorf("progress %q", line)
			}
		}
		if len(printed) != 3 {
			t.Errorf("%d lines of progress, want one every 10 s:\n%s", len(printed), out)
		}
	})
}
