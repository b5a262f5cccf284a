package audit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/function/sink/aerospike"
)

func TestCheckpoint_continues(t *testing.T) {
	dir := t.TempDir()
	o := Options{From: "gs://a/b", Against: aerospike.Cluster{Namespace: "shop"}, Since: time.Unix(1000, 0).UTC(), Margin: time.Minute, Checkpoint: filepath.Join(dir, "c")}
	now := time.Date(2026, 11, 30, 12, 0, 0, 5e8, time.UTC)
	c, err := openCheckpoint(&o, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := now.Add(-time.Minute); !c.Summary.Watermark.Equal(want) {
		t.Errorf("watermark %s, want %s", c.Summary.Watermark, want)
	}
	p, err := openPending(c.pendingPath(), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.close(true) }()
	if err := p.add(pair{Record: &Record{LUT: 1}}); err != nil {
		t.Fatal(err)
	}
	c.Summary.Same = 17
	c.Summary.add(Missing, &Record{LUT: 5000})
	if err := c.done(64, p); err != nil {
		t.Fatal(err)
	}
	o.Since, o.Rate = time.Unix(2000, 0), 5 // as with -since 36h, some time later
	again, err := openCheckpoint(&o, now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, again, cmp.AllowUnexported(checkpoint{})); diff != "" || again.PendingCount != 1 || again.PendingSize != p.size {
		t.Errorf("%s %+v", diff, again)
	}
	for name, change := range map[string]func(*Options){
		"from":      func(o *Options) { o.From = "gs://a/c" },
		"namespace": func(o *Options) { o.Against.Namespace = "shop2" },
		"set":       func(o *Options) { o.Against.Set = "s" },
		"ignored":   func(o *Options) { o.Ignore = []string{"s"} },
		"no since":  func(o *Options) { o.Since = time.Time{} },
		"exact":     func(o *Options) { o.Exact = true },
		"margin":    func(o *Options) { o.Margin = time.Hour },
	} {
		other := o
		change(&other)
		if _, err := openCheckpoint(&other, now); err == nil || !strings.Contains(err.Error(), "other arguments") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if err := os.WriteFile(o.Checkpoint, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openCheckpoint(&o, now); err == nil || !strings.Contains(err.Error(), "not a checkpoint") {
		t.Errorf("a damaged file: error %v", err)
	}
}

func TestCheckpoint_none(t *testing.T) {
	c, err := openCheckpoint(&Options{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.done(5, &pending{}); err != nil || c.pendingPath() != "" || c.remove() != nil {
		t.Errorf("error %v, suspects in %q", err, c.pendingPath())
	}
}
