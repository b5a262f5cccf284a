package newest_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/replay/newest"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/sink/row"
)

// restored returns the changes that a plan needs, alone or folded, and how many there are of
// each record.
func restored(t rapid.TB, a *archive, p *newest.Plan) (all map[change.Digest]change.Change) {
	t.Helper()
	source, err := objects.Buckets{}.Open(context.Background(), a.folder)
	if err != nil {
		t.Fatal(err)
	}
	all = map[change.Digest]change.Change{}
	add := func(c change.Change) {
		if _, again := all[c.Digest]; again {
			t.Fatalf("%x twice", c.Digest)
		}
		c.Bins = slices.Clone(c.Bins)
		slices.SortFunc(c.Bins, func(a, b change.Bin) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
		all[c.Digest] = c
	}
	folder := p.Folder()
	defer func() {
		if err := folder.Close(); err != nil {
			t.Fatal(err)
		}
	}()
	for i := range p.Objects {
		o := &p.Objects[i]
		file, release, err := source.Fetch(context.Background(), o.Object)
		if err != nil {
			t.Fatal(err)
		}
		decoder, ordinal := objects.Decoder{Want: objects.WantBins}, 0
		for chunk, err := range decoder.Chunks(file, o.Name) {
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range chunk {
				switch need := o.Need(ordinal); need {
				case newest.NeedAlone:
					add(e.Parsed.Change)
				case newest.NeedPart, newest.NeedUpdate:
					if err := folder.Add(i, ordinal, e.Line, need, &e.Parsed.Change); err != nil {
						t.Fatal(err)
					}
				case newest.NotNeeded:
				}
				ordinal++
			}
		}
		release()
	}
	for bucket := range folder.Buckets() {
		for f, err := range folder.Bucket(bucket) {
			if err != nil {
				t.Fatal(err)
			}
			add(f.Change)
		}
	}
	return all
}

// partial turns the versions of a record into updates of some bins and replaces, at random, and
// returns them with the bins that the record has after each.
func partial(t *rapid.T, versions []change.Change) (changes []change.Change, states []map[string]int64) {
	state := map[string]int64{}
	for i, c := range versions {
		isNew := len(state) == 0
		names := []string{"a", "b", "c"}
		switch {
		case c.Op.IsDelete():
			state = map[string]int64{}
		case len(state) > 0 && rapid.Bool().Draw(t, "update"):
			c.Mode = change.Update
			next := map[string]int64{}
			for name, v := range state {
				next[name] = v
			}
			for _, name := range names {
				switch rapid.IntRange(0, 3).Draw(t, name) {
				case 0:
					c.Bins = append(c.Bins, change.Bin{Name: name})
					delete(next, name)
				case 1:
					c.Bins = append(c.Bins, change.Bin{Name: name, Value: change.IntegerValue(int64(i))})
					next[name] = int64(i)
				}
			}
			if state = next; len(state) > 0 {
				break
			}
			fallthrough // a record has a bin
		default:
			c.Mode, c.Bins = change.Replace, nil
			if isNew && c.Generation == 1 {
				c.Mode = rapid.SampledFrom([]change.Mode{change.Replace, change.Update}).Draw(t, "mode")
			}
			state = map[string]int64{}
			for _, name := range names[:rapid.IntRange(1, 3).Draw(t, "bins")] {
				c.Bins = append(c.Bins, change.Bin{Name: name, Value: change.IntegerValue(int64(i))})
				state[name] = int64(i)
			}
		}
		changes, states = append(changes, c), append(states, state)
	}
	return changes, states
}

// Bins that were shipped in parts are joined to the record as it was at any time, from objects
// in any order, and each record comes once.
func TestPlan_partialUpdates(t *testing.T) {
	folders := newFolders(t)
	rapid.Check(t, func(t *rapid.T) {
		a := newArchive(t, folders(t))
		until := int64(begin + rapid.IntRange(1, 10).Draw(t, "until"))
		want := map[change.Digest]map[string]int64{}
		var shipped []change.Change
		for i := range rapid.IntRange(1, 4).Draw(t, "records") {
			d := change.Digest{byte(i % 2), 0, byte(i)}
			changes, states := partial(t, history(t, "shop", d))
			shipped = append(shipped, changes...)
			if changes[0].Generation != 1 && changes[0].Mode != change.Replace {
				t.Fatalf("%+v", changes[0])
			}
			for j, c := range changes {
				if c.LUT < until {
					want[d] = states[j]
				}
			}
		}
		for part := range slices.Chunk(shipped, rapid.IntRange(1, 7).Draw(t, "per object")) {
			a.add(fmt.Sprintf("%x-%d.avro", rapid.Byte().Draw(t, "name"), a.files), rowFile(t, row.AvroFile, "null", part...))
		}
		x, _ := a.read(newest.Options{Filter: objects.Filter{Until: time.UnixMilli(until)}})
		defer closed(t, x)
		defer newest.CompactAt(rapid.SampledFrom([]int{2, 1000}).Draw(t, "compact at"))()
		plan, err := x.Plan()
		if err != nil {
			t.Fatal(err)
		}
		got := map[change.Digest]map[string]int64{}
		for d, c := range restored(t, a, plan) {
			got[d] = map[string]int64{}
			for _, b := range c.Bins {
				got[d][b.Name] = b.Value.Integer()
			}
			if c.Op.IsDelete() == (len(c.Bins) > 0) || !c.Op.IsDelete() && c.Mode != change.Replace {
				t.Errorf("%s", changetest.Describe(&c))
			}
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if plan.Records+plan.Deletes != len(want) || plan.Updates != 0 {
			t.Errorf("%d records, %d deletes, %d updates; want %d", plan.Records, plan.Deletes, plan.Updates, len(want))
		}
	})
}

// bins returns a version with these bins.
func bins(c change.Change, mode change.Mode, values ...change.Bin) change.Change {
	c.Mode, c.Bins = mode, values
	return c
}

func integer(name string, v int64) change.Bin {
	return change.Bin{Name: name, Value: change.IntegerValue(v)}
}

// Which changes are needed, and what for.
func TestPlan_needs(t *testing.T) {
	const none, alone, part, update = newest.NotNeeded, newest.NeedAlone, newest.NeedPart, newest.NeedUpdate
	replace := bins(version(1, 1, 4), change.Replace, integer("a", 1))
	first := bins(version(1, 2, 5), change.Update, integer("b", 2))
	second := bins(version(1, 3, 6), change.Update, change.Bin{Name: "a"})
	created := bins(version(1, 4, 1), change.Update, integer("c", 3))
	sameTime := bins(version(1, 2, 4), change.Replace, integer("a", 1))
	for name, tt := range map[string]struct {
		changes []change.Change
		needs   []newest.Need
		want    []change.Bin
		mode    change.Mode
	}{
		"repeats":                 {[]change.Change{first, replace, first, replace}, []newest.Need{none, none, part, part}, []change.Bin{integer("a", 1), integer("b", 2)}, change.Replace},
		"late, in the same ms":    {[]change.Change{first, sameTime}, []newest.Need{part, part}, []change.Bin{integer("a", 1), integer("b", 2)}, change.Replace},
		"one replace":             {[]change.Change{replace}, []newest.Need{alone}, []change.Bin{integer("a", 1)}, change.Replace},
		"a bin deleted":           {[]change.Change{replace, first, second}, []newest.Need{part, part, part}, []change.Bin{integer("b", 2)}, change.Replace},
		"only updates":            {[]change.Change{second, first}, []newest.Need{update, update}, []change.Bin{integer("b", 2), {Name: "a"}}, change.Update},
		"one update":              {[]change.Change{first}, []newest.Need{update}, []change.Bin{integer("b", 2)}, change.Update},
		"created by an update":    {[]change.Change{created}, []newest.Need{part}, []change.Bin{integer("c", 3)}, change.Replace},
		"deleted":                 {[]change.Change{replace, first, deleted(1, 3, 6)}, []newest.Need{none, none, alone}, nil, 0},
		"created again by update": {[]change.Change{replace, deleted(1, 3, 6), created}, []newest.Need{none, none, part}, []change.Bin{integer("c", 3)}, change.Replace},
		"updated after a delete":  {[]change.Change{deleted(1, 1, 3), second, first}, []newest.Need{none, part, part}, []change.Bin{integer("b", 2)}, change.Replace},
	} {
		t.Run(name, func(t *testing.T) {
			a := newArchive(t, t.TempDir())
			a.add("a.avro", rowFile(t, row.AvroFile, "null", tt.changes...))
			x, _ := a.read(newest.Options{})
			defer closed(t, x)
			plan, err := x.Plan()
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range tt.needs {
				if got := plan.Objects[0].Need(i); got != want {
					t.Errorf("change %d: %d, want %d", i, got, want)
				}
			}
			needed := slices.DeleteFunc(slices.Clone(tt.needs), func(n newest.Need) bool { return n == none })
			if plan.Changes != len(needed) {
				t.Errorf("%d changes, want %d", plan.Changes, len(needed))
			}
			c := restored(t, a, plan)[change.Digest{1}]
			newestChange := tt.changes[0]
			for _, n := range tt.changes {
				if n.LUT > newestChange.LUT {
					newestChange = n
				}
			}
			newestChange.Bins, newestChange.Mode = tt.want, tt.mode
			sorted := slices.Clone(newestChange.Bins)
			slices.SortFunc(sorted, func(a, b change.Bin) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
			newestChange.Bins = sorted
			if diff := gocmp.Diff(string(changetest.Describe(&newestChange)), string(changetest.Describe(&c))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// An archive in JSON does not say whether a write has all bins: the options do.
func TestPlan_unknownMode(t *testing.T) {
	a := newArchive(t, t.TempDir())
	a.add("a.ndjson", lines(t, bins(version(1, 1, 1), change.ModeUnknown, integer("a", 1)), bins(version(1, 2, 2), change.ModeUnknown, integer("b", 2))))
	for mode, want := range map[change.Mode][]change.Bin{
		change.ModeUnknown: {integer("b", 2)}, change.Replace: {integer("b", 2)}, change.Update: {integer("a", 1), integer("b", 2)},
	} {
		x, _ := a.read(newest.Options{Mode: mode})
		plan, err := x.Plan()
		if err != nil {
			t.Fatal(err)
		}
		c := restored(t, a, plan)[change.Digest{1}]
		if diff := gocmp.Diff(fmt.Sprint(want), fmt.Sprint(c.Bins)); diff != "" {
			t.Errorf("mode %d (-want +got):\n%s", mode, diff)
		}
		closed(t, x)
	}
}

// Values pass through the temporary file without loss.
func TestFolder_values(t *testing.T) {
	folders := newFolders(t)
	rapid.Check(t, func(t *rapid.T) {
		c := changetest.Arbitrary{}.Change(t)
		c.Op, c.Mode, c.Generation, c.SourceID, c.BinLUTs = change.Write, change.Update, 2, 0, false
		for i := range c.Bins {
			c.Bins[i].LUT, c.Bins[i].SourceID = 0, 0
		}
		a := newArchive(t, folders(t))
		a.add("a.avro", rowFile(t, row.AvroFile, "null", c))
		x, _ := a.read(newest.Options{})
		defer closed(t, x)
		plan, err := x.Plan()
		if err != nil {
			t.Fatal(err)
		}
		f := plan.Folder()
		defer f.Close()
		if err := f.Add(0, 0, 1, newest.NeedUpdate, &c); err != nil {
			t.Fatal(err)
		}
		n := 0
		for bucket := range f.Buckets() {
			for got, err := range f.Bucket(bucket) {
				if err != nil {
					t.Fatal(err)
				}
				n++
				if diff := gocmp.Diff(string(changetest.Describe(&c)), string(changetest.Describe(&got.Change))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		}
		if n != 1 {
			t.Errorf("%d changes", n)
		}
	})
}
