package route_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/route"
)

var levels = route.Levels[route.Rule]{
	Root: route.Rule{Destinations: []string{"root"}},
	Namespaces: map[string]route.Namespace[route.Rule]{
		"shop": {
			Value: route.Rule{Destinations: []string{"shop", "audit"}},
			Sets: map[string]route.Rule{
				"orders":   {Destinations: []string{"orders"}},
				"sessions": {},
			},
		},
		"silent": {},
	},
}

func TestLevels_Of(t *testing.T) {
	for _, tt := range []struct {
		name, namespace, set string
		want                 []string
	}{
		{"set", "shop", "orders", []string{"orders"}},
		{"skipped set", "shop", "sessions", nil},
		{"set that is not listed", "shop", "users", []string{"shop", "audit"}},
		{"no set", "shop", "", []string{"shop", "audit"}},
		{"skipped namespace", "silent", "orders", nil},
		{"namespace that is not listed", "bank", "orders", []string{"root"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, levels.Of(tt.namespace, tt.set).Destinations); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestMap(t *testing.T) {
	counts := route.Map(levels, func(r route.Rule) int { return len(r.Destinations) })
	for _, tt := range []struct {
		namespace, set string
		want           int
	}{{"shop", "orders", 1}, {"shop", "sessions", 0}, {"shop", "", 2}, {"silent", "", 0}, {"bank", "x", 1}} {
		if got := counts.Of(tt.namespace, tt.set); got != tt.want {
			t.Errorf("%s/%s: %d, want %d", tt.namespace, tt.set, got, tt.want)
		}
	}
}
