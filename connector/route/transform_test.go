package route_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/route"
)

var everything = route.Selection{All: true}

// changeOf returns a change with bins of these names. The value of a bin is its index.
func changeOf(names ...string) *change.Change {
	c := &change.Change{}
	for i, name := range names {
		c.Bins = append(c.Bins, change.Bin{Name: name, Value: change.IntegerValue(int64(i))})
	}
	return c
}

func regex(t testing.TB, pattern, replacement string) route.Step {
	t.Helper()
	step, err := route.Regex(pattern, replacement)
	if err != nil {
		t.Fatal(err)
	}
	return step
}

// In want, each bin is its new name and its old index.
func TestTransform_Apply(t *testing.T) {
	for _, tt := range []struct {
		name       string
		transforms route.Transforms
		bins, want string
		err        string
	}{
		{"include all", route.Transforms{Include: everything}, "a b", "a0 b1", ""},
		{"include none", route.Transforms{}, "a b", "", ""},
		{"include some", route.Transforms{Include: route.Selection{Names: []string{"c", "a"}}}, "a b c", "a0 c2", ""},
		{"exclude some", route.Transforms{Include: everything, Exclude: route.Selection{Names: []string{"a"}}}, "a b", "b1", ""},
		{"exclude all", route.Transforms{Include: everything, Exclude: everything}, "a b", "", ""},
		{"exclude wins", route.Transforms{Include: route.Selection{Names: []string{"a", "b"}}, Exclude: route.Selection{Names: []string{"a"}}}, "a b", "b1", ""},
		{"renamed", route.Transforms{Include: everything, Renames: map[string]string{"a": "x"}}, "a b", "x0 b1", ""},
		{"excluded by its old name", route.Transforms{Include: everything, Exclude: route.Selection{Names: []string{"x"}}, Renames: map[string]string{"a": "x"}}, "a", "x0", ""},
		{"names swapped", route.Transforms{Include: everything, Renames: map[string]string{"a": "b", "b": "a"}}, "a b", "b0 a1", ""},
		{"renamed bins skip the steps", route.Transforms{Include: everything, Renames: map[string]string{"a": "x"}, Steps: []route.Step{strings.ToUpper}}, "a b", "x0 B1", ""},
		{"steps in order", route.Transforms{Include: everything, Steps: []route.Step{regex(t, "^u_", ""), strings.ToUpper}}, "u_a U_b", "A0 U_B1", ""},
		{"two bins with the same new name", route.Transforms{Include: everything, Steps: []route.Step{strings.ToUpper}}, "a b A", "", `two bins would get the name "A"`},
		{"step and rename to the same name", route.Transforms{Include: everything, Renames: map[string]string{"x": "B"}, Steps: []route.Step{strings.ToUpper}}, "b x", "", `two bins would get the name "B"`},
		{"same new name, one excluded", route.Transforms{Include: everything, Exclude: route.Selection{Names: []string{"A"}}, Steps: []route.Step{strings.ToUpper}}, "a A", "A0", ""},
		{"empty new name", route.Transforms{Include: everything, Steps: []route.Step{regex(t, ".*", "")}}, "secret", "", `bin "secret" would get an empty name`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transform := route.NewTransform(tt.transforms)
			for range 2 { // the second time, the names are cached
				c := changeOf(strings.Fields(tt.bins)...)
				err := transform.Apply(c)
				if tt.err != "" {
					if err == nil || !change.IsPermanent(err) || !strings.Contains(err.Error(), tt.err) {
						t.Errorf("error %v, want a permanent one that says %q", err, tt.err)
					}
					continue
				}
				if diff := cmp.Diff(strings.Fields(tt.want), describe(c)); diff != "" || err != nil {
					t.Errorf("error %v, bins (-want +got):\n%s", err, diff)
				}
			}
		})
	}
}

// describe returns the name and the value of each bin.
func describe(c *change.Change) []string {
	bins := []string{}
	for _, b := range c.Bins {
		bins = append(bins, fmt.Sprintf("%s%d", b.Name, b.Value.Integer()))
	}
	return bins
}

func TestTransform_nil(t *testing.T) {
	c := changeOf("a")
	if err := (*route.Transform)(nil).Apply(c); err != nil || len(c.Bins) != 1 {
		t.Errorf("error %v, %d bins", err, len(c.Bins))
	}
}

func TestRegex(t *testing.T) {
	for _, tt := range []struct{ pattern, replacement, name, want string }{
		{"b", "x", "abb", "axx"},
		{"(a)(b)", "$2$1", "abc", "bac"},
		{"(a)", "$1x", "ab", "axb"}, // not the group "1x"
		{"(a)", "$12", "ab", "a2b"}, // there is no group 12
		{"(a)", "$01", "ab", "ab"},  // Java reads 01 as 1
		{"a", "[$0]", "ab", "[a]b"}, //
		{"(?P<n>a)", "${n}_", "ab", "a_b"},
		{"a", `\$1`, "ab", "$1b"},
		{"a", `\\`, "ab", `\b`},
		{"a", "é", "ab", "éb"},
	} {
		if got := regex(t, tt.pattern, tt.replacement)(tt.name); got != tt.want {
			t.Errorf("%s with %s for %s: %q, want %q", tt.name, tt.replacement, tt.pattern, got, tt.want)
		}
	}
}

func TestRegex_errors(t *testing.T) {
	for _, tt := range []struct{ pattern, replacement, want string }{
		{"(", "", "pattern: "},
		{"a(?!b)", "", "look-around and back-references are not supported"},
		{"a", "$1", "$1, but the pattern has 0 groups"},
		{"a", "$", "$ without a group"},
		{"a", "$x", "$ without a group"},
		{"a", "${n}", `the pattern has no group "n"`},
		{"(?P<n>a)", "${n", `the pattern has no group "n"`},
		{"a", `b\`, `trailing \`},
	} {
		if _, err := route.Regex(tt.pattern, tt.replacement); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s, %s: error %v, want one that says %q", tt.pattern, tt.replacement, err, tt.want)
		}
	}
}

// Apply keeps all bins, or returns an error. The names that are cached from other changes
// make no difference.
func TestTransform_losesNoBins(t *testing.T) {
	shared := route.NewTransform(route.Transforms{Include: everything, Renames: map[string]string{"a": "B"}, Steps: []route.Step{strings.ToUpper}})
	rapid.Check(t, func(t *rapid.T) {
		names := rapid.SliceOfDistinct(rapid.StringMatching("[abcABC]{1,2}"), rapid.ID[string]).Draw(t, "names")
		fresh := route.NewTransform(route.Transforms{Include: everything, Renames: map[string]string{"a": "B"}, Steps: []route.Step{strings.ToUpper}})
		one, other := changeOf(names...), changeOf(names...)
		err, errFresh := shared.Apply(one), fresh.Apply(other)
		if (err == nil) != (errFresh == nil) {
			t.Fatalf("error %v, with an empty cache %v", err, errFresh)
		}
		if err == nil && (len(one.Bins) != len(names) || !cmp.Equal(describe(one), describe(other))) {
			t.Fatalf("bins %v became %v", names, describe(one))
		}
	})
}

// There are more names than are cached, in several goroutines at once.
func TestTransform_manyNames(t *testing.T) {
	transform := route.NewTransform(route.Transforms{Include: everything, Steps: []route.Step{strings.ToUpper}})
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for i := range 1500 {
				c := changeOf(fmt.Sprintf("bin%d", i), "other")
				if err := transform.Apply(c); err != nil || c.Bins[0].Name != fmt.Sprintf("BIN%d", i) {
					t.Errorf("error %v, bin %s", err, c.Bins[0].Name)
				}
			}
		})
	}
	group.Wait()
	if err := transform.Apply(changeOf("beyond", "BEYOND")); err == nil {
		t.Error("no error for two uncached bins with the same new name")
	}
}

func TestTransform_allocations(t *testing.T) {
	transform, c := typical()
	if n := testing.AllocsPerRun(100, func() { apply(t, transform, c) }); n > 0 {
		t.Errorf("%v allocations per change, want 0", n)
	}
}

func BenchmarkTransform_Apply(b *testing.B) {
	transform, c := typical()
	b.ReportAllocs()
	for b.Loop() {
		apply(b, transform, c)
	}
}

// typical returns a transform that uses all features, and a change for it.
func typical() (*route.Transform, *change.Change) {
	transform := route.NewTransform(route.Transforms{
		Include: everything, Exclude: route.Selection{Names: []string{"secret"}},
		Renames: map[string]string{"n": "name"}, Steps: []route.Step{strings.ToUpper},
	})
	return transform, changeOf("n", "age", "city", "secret", "zip")
}

// apply applies the transform to c and restores its bins.
func apply(t testing.TB, transform *route.Transform, c *change.Change) {
	bins := [5]change.Bin(c.Bins)
	if err := transform.Apply(c); err != nil {
		t.Fatal(err)
	}
	c.Bins = append(c.Bins[:0], bins[:]...)
}
