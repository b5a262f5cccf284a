package deadletter

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestLetter_roundTrip(t *testing.T) {
	offset := 8
	at := time.Date(2026, 11, 27, 1, 2, 3, 0, time.FixedZone("CET", 3600))
	for _, tt := range []struct {
		name   string
		letter Letter
		line   string
	}{
		{
			"connector, malformed", Letter{Time: at, Reason: "bad header", Offset: &offset, Message: []byte{1, 2}},
			`{"time":"2026-11-27T00:02:03Z","reason":"bad header","offset":8,"message":"AQI="}`,
		},
		{
			"connector, refused", Letter{Time: at, Reason: "status 422", Namespace: "test", Digest: make([]byte, 20), LUT: 7, Message: []byte{1}},
			`{"time":"2026-11-27T00:02:03Z","reason":"status 422","namespace":"test","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","lut":7,"message":"AQ=="}`,
		},
		{
			"function", Letter{Time: at, Reason: "too <large>", Offset: new(int), MediaType: "application/json", Request: "r", Namespace: "test", Set: "s", Digest: make([]byte, 20), LUT: 7, Message: []byte("{}")},
			`{"time":"2026-11-27T00:02:03Z","reason":"too \u003clarge\u003e","offset":0,"mediaType":"application/json","request":"r","namespace":"test","set":"s","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","lut":7,"message":"e30="}`,
		},
		{
			"too large", Letter{Time: at, Reason: "over the limit", Namespace: "test", Set: "s", Digest: make([]byte, 20), Size: 9000000},
			`{"time":"2026-11-27T00:02:03Z","reason":"over the limit","namespace":"test","set":"s","digest":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","message":null,"size":9000000}`,
		},
		{"nothing known", Letter{Time: at}, `{"time":"2026-11-27T00:02:03Z","reason":"","message":null}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(tt.letter.AppendLine(nil))
			if got != tt.line+"\n" {
				t.Errorf("line %swant %s", got, tt.line)
			}
			back, err := ParseLine([]byte(got))
			if err != nil {
				t.Fatal(err)
			}
			tt.letter.Time = tt.letter.Time.UTC()
			if diff := cmp.Diff(tt.letter, back); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseLine_errors(t *testing.T) {
	for _, line := range []string{"", "{", "[]", `{"time":"today"}`, `{"message":"not Base64!"}`} {
		if _, err := ParseLine([]byte(line)); err == nil || strings.Contains(err.Error(), "Base64!") {
			t.Errorf("%q: error %v", line, err)
		}
	}
}

func FuzzParseLine(f *testing.F) {
	offset := 8
	l := Letter{Time: time.Unix(1, 0), Reason: "r", Offset: &offset, MediaType: "m", Request: "q", Namespace: "n", Set: "s", Digest: make([]byte, 20), LUT: 1, Message: []byte("m")}
	f.Add(l.AppendLine(nil))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := ParseLine(line)
		if err != nil || l.Time.Year() < 0 || l.Time.Year() > 9998 {
			return
		}
		again, err := ParseLine(l.AppendLine(nil))
		if err != nil {
			t.Fatal(err)
		}
		if string(again.Message) != string(l.Message) || again.LUT != l.LUT || again.MediaType != l.MediaType {
			t.Errorf("%+v, was %+v", again, l)
		}
	})
}
