package replay_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/replay/objects"
)

func at(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t
}

// Filters applied to four changes, two dead letters, and a line that is not a change.
func TestFilter(t *testing.T) {
	changes := orders(4)
	changes[1].Set = ""
	changes[2].Namespace = "users"
	changes[3].LUT = 0
	text := lines(t, changes)
	text = append(text, letter(format.MediaNDJSON, lines(t, []change.Change{changes[0]}))...)
	text = append(text, letter(format.MediaJSON, []byte("x"))...)
	from := store(t, map[string][]byte{"a.ndjson": append(text, "nothing\n"...)})
	hour := at("2026-11-22T12:34:56Z")
	for name, tt := range map[string]struct {
		filter                       objects.Filter
		changes, leftOut, unreadable int
	}{
		"all":               {objects.Filter{}, 5, 0, 2},
		"namespace":         {objects.Filter{Namespaces: []string{"users"}}, 1, 4, 2},
		"namespaces":        {objects.Filter{Namespaces: []string{"users", "shop"}}, 5, 0, 2},
		"set":               {objects.Filter{Sets: []string{"orders"}}, 4, 1, 2},
		"no set":            {objects.Filter{Sets: []string{""}}, 1, 4, 2},
		"since":             {objects.Filter{Since: hour}, 4, 1, 2},
		"since the letters": {objects.Filter{Since: received}, 1, 4, 2},
		"after the letters": {objects.Filter{Since: received.Add(1)}, 0, 6, 1},
		"until":             {objects.Filter{Until: received}, 3, 3, 1},
		"until the first":   {objects.Filter{Until: time.UnixMilli(changes[0].LUT)}, 0, 6, 1},
		"from to":           {objects.Filter{Since: time.UnixMilli(changes[1].LUT), Until: time.UnixMilli(changes[2].LUT)}, 1, 5, 1},
		"together":          {objects.Filter{Since: hour, Until: received, Namespaces: []string{"shop"}, Sets: []string{"orders"}}, 1, 5, 1},
	} {
		t.Run(name, func(t *testing.T) {
			o, out := options(from)
			o.Filter = tt.filter
			s, err := runOnce(t, o)
			if err != nil || s.Changes != tt.changes || s.LeftOut != tt.leftOut || s.Unreadable != tt.unreadable {
				t.Errorf("%s; error %v; want %+v\n%s", s, err, tt, out.String())
			}
		})
	}
}

// Paths rule objects out.
func TestFilter_paths(t *testing.T) {
	changes := orders(1)
	text := lines(t, changes)
	from := store(t, map[string][]byte{
		"namespace=shop/set=orders/dt=2026-11-22/hour=12/a.ndjson":                 text,
		"namespace=shop/set=orders/dt=2026-11-22/hour=13/a.ndjson":                 text,
		"namespace=shop/set=a%20b/dt=2026-11-23/a.ndjson":                          text,
		"namespace=__HIVE_DEFAULT_PARTITION__/set=%zz/dt=tomorrow/hour=x/a.ndjson": text,
		"a.ndjson": text,
	})
	wide := objects.Filter{Since: at("2026-11-22T00:00:00Z"), Until: at("2026-11-23T00:00:00Z")}
	for name, tt := range map[string]struct {
		filter  objects.Filter
		objects int
	}{
		"all":           {objects.Filter{}, 5},
		"namespace":     {objects.Filter{Namespaces: []string{"users"}}, 2},
		"set":           {objects.Filter{Sets: []string{"a b"}}, 3},
		"day":           {wide, 4},
		"next day":      {objects.Filter{Since: at("2026-11-23T00:00:00Z")}, 3},
		"hour":          {objects.Filter{Since: at("2026-11-22T12:59:59Z"), Until: at("2026-11-22T13:00:00Z")}, 3},
		"a moment more": {objects.Filter{Since: at("2026-11-22T12:59:59Z"), Until: at("2026-11-22T13:00:00.001Z")}, 4},
		"long ago":      {objects.Filter{Until: at("2026-11-22T00:00:00Z")}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(from)
			o.Filter = tt.filter
			if s, err := runOnce(t, o); err != nil || s.Objects != tt.objects {
				t.Errorf("%s; error %v; want %d objects", s, err, tt.objects)
			}
		})
	}
}

// Paths of other templates, or with folders above the archive, do not rule out objects that
// may hold changes.
func TestFilter_otherTemplates(t *testing.T) {
	changes := orders(2)
	changes[1].Set = ""
	text := lines(t, changes)
	files := map[string][]byte{}
	for _, folder := range []string{"set=orders-03", "namespace=shop.orders", "set=__HIVE_DEFAULT_PARTITION__.7", "dt=2026-11-22T12", "dt=2026-11-22/hour=12-34"} {
		files["dt=2020-01-01/namespace=prod/set=all/"+folder+"/a.ndjson"] = text
	}
	from := filepath.Join(store(t, files), "dt=2020-01-01", "namespace=prod", "set=all")
	for name, tt := range map[string]struct {
		filter  objects.Filter
		objects int
	}{
		"set":       {objects.Filter{Sets: []string{"orders"}}, 4},
		"no set":    {objects.Filter{Sets: []string{""}}, 4},
		"namespace": {objects.Filter{Namespaces: []string{"shop"}}, 5},
		"time":      {objects.Filter{Since: at("2026-11-22T12:00:00Z")}, 5},
		"nothing":   {objects.Filter{Sets: []string{"x"}, Namespaces: []string{"y"}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o, _ := options(from)
			o.Filter = tt.filter
			if s, err := runOnce(t, o); err != nil || s.Objects != tt.objects {
				t.Errorf("%s; error %v; want %d objects", s, err, tt.objects)
			}
		})
	}
}
