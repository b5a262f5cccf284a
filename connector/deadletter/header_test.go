package deadletter

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http/httpguts"
	"pgregory.net/rapid"
)

// The headers of a dead letter are valid in HTTP, and have all of it but the message.
func TestLetter_headerRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Letter{Reason: rapid.StringN(1, 300, -1).Draw(t, "reason"), Size: rapid.IntMin(0).Draw(t, "size")}
		if rapid.Bool().Draw(t, "has an offset") {
			offset := rapid.IntMin(0).Draw(t, "offset")
			l.Offset = &offset
		}
		if rapid.Bool().Draw(t, "is identified") {
			l.Namespace, l.Set = rapid.StringN(1, 31, -1).Draw(t, "namespace"), rapid.StringN(0, 63, -1).Draw(t, "set")
			l.Digest = rapid.SliceOfN(rapid.Byte(), 20, 20).Draw(t, "digest")
			l.LUT = rapid.Int64Min(0).Draw(t, "lut")
		}
		header := http.Header(l.Header())
		for name, values := range header {
			if http.CanonicalHeaderKey(name) != name || len(values) != 1 || !httpguts.ValidHeaderFieldValue(values[0]) {
				t.Errorf("header %s: %q", name, values)
			}
		}
		got, err := ParseHeader(header)
		if err != nil || !IsMarked(header) {
			t.Fatalf("%v; marked: %t", err, IsMarked(header))
		}
		if diff := cmp.Diff(l, got); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}

func TestParseHeader_errors(t *testing.T) {
	valid := Letter{Reason: "r", Namespace: "n", Digest: make([]byte, 20), LUT: 1, Size: 1}
	for name, value := range map[string]string{
		OffsetHeader: "first", SizeHeader: "-1", LUTHeader: "1e3", DigestHeader: "AAAA", NamespaceHeader: "", ReasonHeader: "=?x-unknown?q?secret?=",
	} {
		header := maps.Clone(valid.Header())
		header[name] = []string{value}
		if _, err := ParseHeader(header); err == nil || !strings.Contains(err.Error(), "of a dead letter") || value != "" && strings.Contains(err.Error(), value) {
			t.Errorf("%s: %s: error %v", name, value, err)
		}
	}
	if IsMarked(http.Header{"Content-Type": {"application/octet-stream"}}) {
		t.Error("a request without a reason is taken for a dead letter")
	}
}
