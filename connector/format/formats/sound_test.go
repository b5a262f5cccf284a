package formats_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
)

// tight are limits that many a body is over.
var tight = format.Limits{Inflated: 4096, Changes: 3, Change: 200, Depth: 2}

// sound parses a body of any kind, and returns the changes that could be read. It
// holds what is true of each: errors are permanent and say where in the body, limits
// hold, and memory follows the body and the limits.
func sound(t *testing.T, p formats.Parser, mediaType string, body []byte) (good []format.Parsed) {
	t.Helper()
	p.Limits.Inflated = 1 << 20
	parsed := checked(t, p, mediaType, body)
	for _, one := range parsed {
		if one.Err == nil {
			good = append(good, one)
		}
	}
	p.Limits = tight
	within := checked(t, p, mediaType, body)
	if len(within) > tight.Changes || len(within) > 0 && len(within) != len(parsed) {
		t.Fatalf("%d of %d changes, the limit is %d", len(within), len(parsed), tight.Changes)
	}
	for i, one := range within {
		if one.Err != nil {
			if parsed[i].Err == nil && !errors.Is(one.Err, format.ErrTooLarge) {
				t.Fatalf("change %d: %v, which is over no limit", i, one.Err)
			}
			continue
		}
		if parsed[i].Err != nil || len(one.Data) > tight.Change {
			t.Fatalf("change %d of %d bytes is within the limits: %v", i, len(one.Data), parsed[i].Err)
		}
		for _, b := range one.Change.Bins {
			if b.Value.Depth() > tight.Depth {
				t.Fatalf("change %d nests %d deep", i, b.Value.Depth())
			}
		}
	}
	return good
}

func checked(t *testing.T, p formats.Parser, mediaType string, body []byte) []format.Parsed {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	parsed, err := p.Parse(mediaType, body)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20+200*uint64(len(body)) {
		t.Fatalf("%d bytes allocated for a body of %d", used, len(body))
	}
	if err != nil && (!change.IsPermanent(err) || parsed != nil) {
		t.Fatalf("%v is not permanent, or comes with %d changes", err, len(parsed))
	}
	for i, one := range parsed {
		if one.Err != nil && !change.IsPermanent(one.Err) {
			t.Fatalf("change %d: %v is not permanent", i, one.Err)
		}
		if one.Offset < 0 || one.Offset > len(body) || len(one.Data) == 0 && mediaType != format.MediaAvro || one.Format == "" {
			t.Fatalf("change %d of %d bytes in %q at byte %d of %d: %v", i, len(one.Data), one.Format, one.Offset, len(body), one.Err)
		}
	}
	return parsed
}
