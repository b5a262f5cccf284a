package delivertest_test

import (
	"crypto/tls"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deliver/delivertest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

// body returns a JSON body with the changes.
func body(t *testing.T, changes ...change.Change) string {
	t.Helper()
	var records []byte
	f := json.Format{}
	for _, c := range changes {
		var err error
		if records, err = f.Append(records, &c); err != nil {
			t.Fatal(err)
		}
	}
	sealed, _ := f.Seal(records, len(changes))
	return string(sealed)
}

// The ledger has the changes that each fault accepts, and no others.
func TestFault(t *testing.T) {
	for fault, want := range map[delivertest.Fault]struct {
		status   int // 0 if there is no response
		accepted int
	}{
		delivertest.None: {200, 2}, delivertest.Half: {503, 1}, delivertest.Status500: {500, 0}, delivertest.Busy: {429, 0}, delivertest.Timeout: {408, 0},
		delivertest.GoAway: {503, 0}, delivertest.Reset: {0, 0}, delivertest.Close: {0, 0}, delivertest.Hang: {0, 0}, delivertest.Dribble: {0, 0},
	} {
		l := delivertest.New(t, func(int) delivertest.Fault { return fault })
		client := http.Client{Timeout: 200 * time.Millisecond, Transport: &http.Transport{Protocols: new(http.Protocols)}}
		client.Transport.(*http.Transport).Protocols.SetUnencryptedHTTP2(true)
		a := change.Change{Namespace: "n", Digest: change.Digest{1}, Generation: 1, LUT: changetest.Receipt.UnixMilli()}
		b := change.Change{Namespace: "n", Digest: change.Digest{2}, Generation: 7, LUT: changetest.Receipt.UnixMilli(), Op: change.DurableDelete}
		status := 0
		resp, err := client.Post(l.URL, "application/json", strings.NewReader(body(t, a, b)))
		if err == nil {
			_, err = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
		if err == nil {
			status = resp.StatusCode
		}
		if counts := l.Counts(); status != want.status || counts.Accepted != want.accepted || counts.Requests != 1 {
			t.Errorf("fault %d: status %d, %v, %+v; want %+v", fault, status, err, counts, want)
		}
		if shipped, answers := l.Counts().Shipped, l.Answers(); shipped != 2 || want.status > 0 && answers[want.status] != 1 {
			t.Errorf("fault %d: %d changes shipped, answers %v", fault, shipped, answers)
		}
		if place := (delivertest.Place{Namespace: "n"}); l.Places()[place] != want.accepted {
			t.Errorf("fault %d: accepted from %v", fault, l.Places())
		}
		if l.Has(xdrtest.VersionOf(&b)) != (want.accepted > 0) || l.Has(xdrtest.VersionOf(&a)) != (want.accepted > 1) {
			t.Errorf("fault %d: the ledger has %v", fault, l.Newest())
		}
	}
}

func TestMixed(t *testing.T) {
	fault := delivertest.Mixed(2, delivertest.Busy, delivertest.Reset)
	var got []delivertest.Fault
	for n := range 6 {
		got = append(got, fault(n+1))
	}
	if want := []delivertest.Fault{0, delivertest.Reset, 0, delivertest.Busy, 0, delivertest.Reset}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// The ledger counts an older version after a newer one, and keeps the newer.
func TestLedger_olderVersion(t *testing.T) {
	l := delivertest.New(t, nil)
	for _, generation := range []uint32{2, 1, 2} {
		c := change.Change{Namespace: "n", Digest: change.Digest{1}, Generation: generation, LUT: changetest.Receipt.UnixMilli() + int64(generation)}
		resp, err := http.Post(l.URL, "application/json", strings.NewReader(body(t, c)))
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	newest := slices.Collect(maps.Values(l.Newest()))
	if counts := l.Counts(); counts.Backwards != 1 || counts.Accepted != 3 || newest[0].Generation != 2 || l.Protocols()["HTTP/1.1"] != 3 {
		t.Errorf("%+v, newest %+v, protocols %v", counts, newest, l.Protocols())
	}
}

// Over TLS, requests use HTTP/2, and Inspect gets their changes.
func TestOpen_tlsAndInspect(t *testing.T) {
	ours := changetest.NewAuthority(t)
	seen := make(chan []string, 1)
	l := delivertest.Open(t, delivertest.Options{
		Parser: formats.Parser{Bins: true},
		TLS:    &tls.Config{Certificates: []tls.Certificate{ours.Pair(t, "127.0.0.1")}},
		Inspect: func(r *http.Request, changes []format.Parsed) {
			seen <- []string{r.Proto, changes[0].Change.Bins[0].Name}
		},
	})
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: ours.Pool()}, ForceAttemptHTTP2: true}}
	c := change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: change.IntegerValue(1)}}}
	resp, err := client.Post(l.URL, "application/json", strings.NewReader(body(t, c)))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got, want := <-seen, []string{"HTTP/2.0", "b"}; !slices.Equal(got, want) || l.Answers()[http.StatusOK] != 1 {
		t.Errorf("seen %q, want %q; answers %v", got, want, l.Answers())
	}
}
