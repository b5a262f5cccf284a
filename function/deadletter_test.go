package function

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector"
	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/deadletter"
	"github.com/aerosink/aerosink/connector/deliver"
	deliverpost "github.com/aerosink/aerosink/connector/deliver/post"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/report"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/function/sink"
)

// verdicts is a recipient that sends its verdicts to a channel.
type verdicts chan error

func (v verdicts) Done(err error) { v <- err }

// A dead letter of a connector is one here too, even if its message can be read or has no
// bytes, and never reaches a sink.
func TestServeHTTP_connectorDeadLetters(t *testing.T) {
	offset := 8
	digest := change.Digest{1, 2}
	good, err := xdr.AppendMessage(nil, &change.Change{Namespace: "shop", Set: "s", Digest: digest, LUT: changetest.Receipt.UnixMilli()}, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		letter deadletter.Letter
		want   sink.DeadLetter
	}{
		{
			"a message that can be read",
			deadletter.Letter{Reason: "no form in JSON: é", Namespace: "shop", Set: "sé", Digest: digest[:], LUT: 7, Message: good},
			sink.DeadLetter{Reason: "no form in JSON: é", Offset: sink.UnknownOffset},
		},
		{
			"a malformed message",
			deadletter.Letter{Reason: "bad header", Offset: &offset, Message: []byte{1, 2, 3}},
			sink.DeadLetter{Reason: "bad header", Offset: 8},
		},
		{
			"a message that was too large",
			deadletter.Letter{Reason: "over the limit", Offset: new(int), Size: 9_000_000, Namespace: "shop", Digest: digest[:], LUT: 7},
			sink.DeadLetter{Reason: "over the limit", Size: 9_000_000},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			deadLetters, s := &fake{}, &fake{}
			there := httptest.NewUnstartedServer(receiverOf(t, deadLetters, s))
			there.Config.Protocols = new(http.Protocols)
			there.Config.Protocols.SetUnencryptedHTTP2(true)
			there.Start()
			defer there.Close()
			u, err := url.Parse(there.URL)
			if err != nil {
				t.Fatal(err)
			}
			d := deliver.New(deliver.Config{Name: "letters", URLs: []*url.URL{u}, Config: deliverpost.Config{Connections: 1, Streams: 1, ConnectTimeout: time.Minute}, Queue: 10, CallTimeout: time.Minute})
			defer d.Close(t.Context())
			verdict := make(verdicts, 1)
			before := time.Now()
			connector.PostedDeadLetters{Destination: d}.Store(tt.letter, before.Add(time.Minute), verdict)
			if err := <-verdict; err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{string(tt.letter.Message)}, deadLetters.stored); diff != "" || s.puts > 0 {
				t.Fatalf("%d puts to the sink; dead letters (-want +got):\n%s", s.puts, diff)
			}
			got := deadLetters.dead[0]
			if got.Received.Before(before) || got.Request == "" || got.MediaType != format.MediaOctets {
				t.Errorf("dead letter %+v", got)
			}
			tt.want.Received, tt.want.Request, tt.want.MediaType = got.Received, got.Request, got.MediaType
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("dead letter (-want +got):\n%s", diff)
			}
			c := deadLetters.changes[0]
			if c.Namespace != tt.letter.Namespace || c.Set != tt.letter.Set || c.LUT != tt.letter.LUT || tt.letter.Digest != nil && c.Digest != digest {
				t.Errorf("change %+v, letter %+v", c, tt.letter)
			}
		})
	}
}

func TestServeHTTP_connectorDeadLetterAnswers(t *testing.T) {
	marked := deadletter.Letter{Reason: "r", Namespace: "shop", Digest: make([]byte, 20), Size: 5}
	for _, tt := range []struct {
		name        string
		deadLetters *fake
		adjust      func(h http.Header)
		status      int
		want        string
	}{
		{"stored", &fake{}, nil, 200, "1 of 1 change"},
		{"no dead letters", nil, nil, 400, "set DEAD_LETTERS"},
		{"dead letters fail", &fake{verdict: failOn("", errLater)}, nil, 503, "dead letters: later"},
		{"dead letters refuse", &fake{verdict: failOn("", errNever)}, nil, 503, "dead letters: never"},
		{"invalid digest", &fake{}, func(h http.Header) { h.Set(deadletter.DigestHeader, "secret") }, 400, "invalid header Aerosink-Digest"},
		{"not marked", &fake{verdict: failOn("", errors.New("never called"))}, func(h http.Header) { h.Del(deadletter.ReasonHeader) }, 200, ""},
		{"unsupported media type", &fake{}, func(h http.Header) { h.Set("Content-Type", "/") }, 415, "not a media type"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &fake{}
			r := receiverOf(t, tt.deadLetters, s)
			req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", http.NoBody)
			for name, values := range marked.Header() {
				req.Header[name] = values
			}
			req.Header.Set("Content-Type", format.MediaOctets)
			if tt.adjust != nil {
				tt.adjust(req.Header)
			}
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) || strings.Contains(w.Body.String(), "secret") || s.puts > 0 {
				t.Errorf("status %d, %s; %d puts", w.Code, w.Body, s.puts)
			}
		})
	}
}

// Dead letters of connectors say nothing about the function's own settings, however many come
// in a row.
func TestServeHTTP_manyConnectorDeadLetters(t *testing.T) {
	deadLetters := &fake{}
	r := receiverOf(t, deadLetters, &fake{})
	for i := range 2 * report.MaxRefusals {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader("malformed"))
		req.Header.Set("Content-Type", format.MediaOctets)
		req.Header.Set(deadletter.ReasonHeader, "malformed")
		w := httptest.NewRecorder()
		if r.ServeHTTP(w, req); w.Code != http.StatusOK {
			t.Fatalf("dead letter %d: status %d: %s", i, w.Code, w.Body)
		}
	}
	if w := post(r, "no change"); w.Code != http.StatusOK {
		t.Errorf("a change that cannot be read: status %d: %s", w.Code, w.Body)
	}
}
