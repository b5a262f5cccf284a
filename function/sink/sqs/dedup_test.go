package sqs

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/aerosink/aerosink/connector/change"
)

func TestAppendID(t *testing.T) {
	for _, tt := range []struct {
		change change.Change
		want   string
	}{
		{change.Change{}, "811c9dc5.AAAAAAAAAAAAAAAAAAAAAAAAAAA.0.0.write"},
		{change.Change{Namespace: "shop", Digest: change.Digest{1, 2, 3}, LUT: 1, Generation: 35, Op: change.Delete}, "a847e0a9.AQIDAAAAAAAAAAAAAAAAAAAAAAA.1.z.delete"},
		{change.Change{Namespace: "shop", Digest: change.Digest{0xff, 0xff, 0xfe}, LUT: 1764547200000, Generation: 1<<32 - 1, Op: change.DurableDelete}, "a847e0a9.___-AAAAAAAAAAAAAAAAAAAAAAA.mimdudc0.1z141z3.durable-delete"},
	} {
		if got := string(appendID(nil, &tt.change)); got != tt.want {
			t.Errorf("%+v: %s, want %s", tt.change, got, tt.want)
		}
	}
}

// isToken reports whether SQS takes s as a group or as a deduplication ID (comment of
// MessageDeduplicationId in the SDK).
func isToken(s string) bool {
	return len(s) >= 1 && len(s) <= 128 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~") == ""
}

var anyChange = rapid.Custom(func(t *rapid.T) change.Change {
	c := change.Change{
		Namespace: rapid.SampledFrom([]string{"shop", "test", "ünïcode \x00"}).Draw(t, "namespace"), Set: rapid.SampledFrom([]string{"", "orders"}).Draw(t, "set"),
		LUT: rapid.Int64Range(1, 1<<62).Draw(t, "lut"), Generation: rapid.Uint32Min(1).Draw(t, "generation"),
		Op: rapid.SampledFrom([]change.Op{change.Write, change.Delete, change.DurableDelete}).Draw(t, "op"),
	}
	copy(c.Digest[:], rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "digest"))
	return c
})

// A deduplication ID is one that SQS takes, and another for each namespace, digest, last update
// time, generation and operation, but for nothing else.
func TestAppendID_identity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyChange.Draw(t, "change")
		id := string(appendID(nil, &c))
		if !isToken(id) || len(id) > 73 {
			t.Errorf("%s: SQS does not take it", id)
		}
		other := c
		same := false
		switch rapid.SampledFrom([]string{"namespace", "digest", "lut", "generation", "op", "none"}).Draw(t, "difference") {
		case "namespace":
			other.Namespace += "2"
		case "digest":
			other.Digest[rapid.IntRange(0, 19).Draw(t, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "lut":
			other.LUT += rapid.Int64Range(1, 1000).Draw(t, "later")
		case "generation":
			other.Generation ^= 1 << rapid.IntRange(0, 31).Draw(t, "bit")
		case "op":
			other.Op = (other.Op + 1) % 3
		case "none":
			other.Set, other.Expiry, other.SourceID, same = "else", 5, 7, true
		}
		if otherID := string(appendID(nil, &other)); (otherID == id) != same {
			t.Errorf("%s and %s", id, otherID)
		}
		if p := packedID([]byte(id)); !isToken(p) {
			t.Errorf("%s: SQS does not take it", p)
		}
	})
}

func TestRandomID(t *testing.T) {
	a, b := randomID(), randomID()
	if a == b || !isToken(a) || len(a) < 26 { // of 5 bits each
		t.Errorf("%s and %s", a, b)
	}
}

func TestTraceHeader(t *testing.T) {
	for traceParent, want := range map[string]string{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":       "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00":       "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=0",
		"cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0f-later": "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=00f067aa0ba902b7;Sampled=1",
		"": "",
		"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01":  "",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01": "",
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7":    "",
	} {
		got := ""
		if a, ok := traceHeader(traceParent)["AWSTraceHeader"]; ok {
			got = *a.StringValue
		}
		if got != want {
			t.Errorf("%s: %s, want %s", traceParent, got, want)
		}
	}
}
