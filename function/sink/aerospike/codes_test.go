package aerospike

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aerospike/aerospike-client-go/v7/types"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/devnode"
	"github.com/aerosink/aerosink/function/sink"
)

// codes are what a server answers, whether the change is refused for good then, and a part of
// the error. Codes that mean another writer are tried again within the Put: with "" the
// change is stored once the server answers otherwise.
var codes = []struct {
	code      types.ResultCode
	permanent bool
	text      string
}{
	{types.SERVER_ERROR, false, "code 1"},
	{types.PARAMETER_ERROR, true, "no record without bins"},
	{types.SERVER_MEM_ERROR, false, "stop-writes"},
	{types.TIMEOUT, false, "code 9"},
	{types.ALWAYS_FORBIDDEN, false, "forbids it"},
	{types.PARTITION_UNAVAILABLE, false, "code 11"},
	{types.BIN_TYPE_ERROR, true, "another type"},
	{types.RECORD_TOO_BIG, true, "larger than the namespace takes"},
	{types.KEY_BUSY, false, ""},
	{types.UNSUPPORTED_FEATURE, false, "code 16"},
	{types.DEVICE_OVERLOAD, false, "code 18"},
	{types.KEY_MISMATCH, true, "another user key"},
	{types.INVALID_NAMESPACE, true, "check the namespace"},
	{types.BIN_NAME_TOO_LONG, true, "up to 15 bytes"},
	{types.FAIL_FORBIDDEN, true, "nsup-period"},
	{types.ENTERPRISE_ONLY, true, "durable-delete=never"},
	{types.INVALID_USER, false, "check user="},
	{types.NOT_AUTHENTICATED, false, "set user and password-file"},
	{types.ROLE_VIOLATION, false, "grant the user"},
	{types.GEO_INVALID_GEOJSON, true, "no such GeoJSON"},
}

// A code has its verdict in every mode, for a change alone, which is a command of its own, and
// for one of several, which is a row of a batch. The other changes are stored.
func TestPut_codes(t *testing.T) {
	for _, mode := range []string{"/test/s?mode=raw", "/test?mode=records&versions=none", "/test?mode=records"} {
		for _, tt := range codes {
			for rows := 1; rows <= 3; rows += 2 {
				t.Run(fmt.Sprintf("%s/%d/of %d", mode[1:], tt.code, rows), func(t *testing.T) {
					testCode(t, mode, tt.code, rows, tt.permanent, tt.text)
				})
			}
		}
	}
}

func testCode(t *testing.T, mode string, code types.ResultCode, rows int, permanent bool, text string) {
	var left atomic.Int32
	left.Store(1)
	if text != "" {
		left.Store(100)
	}
	n := node(t, devnode.Config{Now: clock(), Fault: func(c devnode.Command) (f devnode.Fault) {
		switch {
		case !c.Writes || c.Set != testSet && c.Set != "s" || left.Add(-1) < 0:
		case c.Kind == devnode.Batch:
			f.Rows = map[int]devnode.Code{0: devnode.Code(code)}
		default:
			f.Code = devnode.Code(code)
		}
		return f
	}})
	s := open(t, n, mode, sink.Options{Timeout: 5 * time.Second})
	var changes []change.Change
	for i := range rows {
		changes = append(changes, set(written(1), func(c *change.Change) { c.Digest = change.Digest{byte(i)} }))
	}
	verdicts := s.Put(t.Context(), batch(changes...))
	for i := range rows {
		var err error
		if verdicts != nil {
			err = verdicts[i]
		}
		if i > 0 || text == "" {
			if got := n.Source().Get("test", changes[i].Digest); err != nil || got == nil {
				t.Errorf("change %d: %v, record %v", i, err, got)
			}
			continue
		}
		if err == nil || change.IsPermanent(err) != permanent || !strings.Contains(err.Error(), text) || !strings.Contains(err.Error(), "store in aerospike://") {
			t.Errorf("verdict %v, permanent %t; want permanent %t and %q", err, change.IsPermanent(err), permanent, text)
		}
		if got := n.Source().Get("test", changes[i].Digest); got != nil {
			t.Errorf("the record is there: %+v", got)
		}
	}
}

// A code for which a list may be the reason is permanent only for changes that have one.
func TestRecords_serverErrorOfList(t *testing.T) {
	n := node(t, devnode.Config{Fault: func(c devnode.Command) (f devnode.Fault) {
		if c.Writes {
			f.Code = devnode.Unknown
		}
		return f
	}})
	s := open(t, n, "/test?mode=records&versions=none", sink.Options{})
	withList := set(written(1), func(c *change.Change) { c.Bins[0].Value = packed(t, "9101") })
	if err := verdict(t, s, withList); !change.IsPermanent(err) {
		t.Errorf("with a list: %v", err)
	}
	if err := verdict(t, s, written(1)); err == nil || change.IsPermanent(err) {
		t.Errorf("without: %v", err)
	}
}

// Whatever a connection is lost with, the change is to be retried, and the retry stores it.
func TestPut_noAnswer(t *testing.T) {
	for _, mode := range []string{"/test/s?mode=raw", "/test?mode=records&versions=none", "/test?mode=records"} {
		for _, carriedOut := range []bool{true, false} {
			for request := range 4 {
				t.Run(fmt.Sprintf("%s/request %d/carried out %t", mode[1:], request, carriedOut), func(t *testing.T) {
					var seen, faults atomic.Int32
					n := node(t, devnode.Config{Now: clock(), Fault: func(c devnode.Command) (f devnode.Fault) {
						if c.Kind == devnode.Info || int(seen.Add(1))-1 != request {
							return f
						}
						faults.Add(1)
						return devnode.Fault{DropAfter: carriedOut, DropBefore: !carriedOut}
					}})
					s := open(t, n, mode, sink.Options{Timeout: 5 * time.Second})
					other := set(written(1), func(c *change.Change) { c.Digest = change.Digest{9} })
					for _, err := range s.Put(t.Context(), batch(written(2), other)) {
						if err != nil && change.IsPermanent(err) {
							t.Error(err)
						}
					}
					storeInTheEnd(t, s, written(2), other)
					storeInTheEnd(t, s, written(1))
					if faults.Load() == 0 {
						t.Skip("there are fewer requests")
					}
					for _, c := range []change.Change{written(2), other} {
						got := n.Source().Get("test", c.Digest)
						if got == nil {
							t.Fatal("the record is not there")
						}
						want, bin := c.Bins[0].Value.Integer(), "i"
						if strings.Contains(mode, "raw") {
							want, bin = int64(c.Generation), binGeneration
						}
						for _, b := range got.Bins {
							if b.Name == bin && b.Value.Integer() != want && !strings.Contains(mode, "none") {
								t.Errorf("bin %s is %d, want %d", bin, b.Value.Integer(), want)
							}
						}
					}
				})
			}
		}
	}
}

// storeInTheEnd stores changes as a sender does, which tries again.
func storeInTheEnd(t *testing.T, s sink.Sink, changes ...change.Change) {
	t.Helper()
	for range 3 {
		if verdicts := s.Put(t.Context(), batch(changes...)); !slices.ContainsFunc(verdicts, func(err error) bool { return err != nil }) {
			return
		}
	}
	store(t, s, changes...)
}

// A Put ends in its time, whatever the node does, and the changes are to be retried.
func TestPut_silentNode(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	n := node(t, devnode.Config{Fault: func(c devnode.Command) (f devnode.Fault) {
		if c.Kind != devnode.Info {
			<-hang
		}
		return f
	}})
	for _, mode := range []string{"/test/s?mode=raw", "/test?mode=records&versions=none", "/test?mode=records"} {
		s := open(t, n, mode, sink.Options{Timeout: 300 * time.Millisecond})
		began := time.Now()
		if err := verdict(t, s, written(1)); err == nil || change.IsPermanent(err) {
			t.Errorf("%s: %v", mode, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: took %s", mode, took)
		}
	}
}

// A record that another writer is always at costs the time of the Put, not more.
func TestPut_alwaysBusy(t *testing.T) {
	n := node(t, devnode.Config{Fault: func(c devnode.Command) (f devnode.Fault) {
		if c.Writes {
			f.Code = devnode.Code(types.KEY_BUSY)
		}
		return f
	}})
	for _, mode := range []string{"/test/s?mode=raw", "/test?mode=records&versions=none", "/test?mode=records"} {
		s := open(t, n, mode, sink.Options{Timeout: 200 * time.Millisecond})
		if err := verdict(t, s, written(1)); err == nil || change.IsPermanent(err) || !strings.Contains(err.Error(), "another writer was at the record each time") {
			t.Errorf("%s: %v", mode, err)
		}
	}
}
