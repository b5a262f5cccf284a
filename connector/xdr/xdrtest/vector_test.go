package xdrtest_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
)

func TestReadFrames(t *testing.T) {
	message, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", LUT: 1795348800000}, changetest.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	digits := hex.EncodeToString(message)
	for _, tt := range []struct {
		name, text string
		frames     int
		err        string
	}{
		{"nothing", "\n# a comment\n", 0, ""},
		{"hexadecimal", digits + "\n" + strings.ToUpper(digits) + "\n", 2, ""},
		{"two messages on a line", digits + digits, 2, ""},
		{"JSON", fmt.Sprintf(`{"name":"a","hex":%q,"kind":"request","valid":true}`, digits), 1, ""},
		{"JSON with the digits alone", fmt.Sprintf(`{"hex":%q}`, digits), 1, ""},
		{"JSON with a name", fmt.Sprintf(`{"name":"a","hex":%q}`, digits), 1, ""},
		{"invalid message", `{"hex":"02","valid":false}`, 0, ""},
		{"reply", `{"hex":"02","kind":"ack"}`, 0, ""},

		{"not hexadecimal", digits + "\nxyz\n", 0, "line 2: not hexadecimal: "},
		{"half a byte", digits + "0", 0, "line 1: not hexadecimal: "},
		{"not hexadecimal in JSON", `{"hex":"xyz"}`, 0, "line 1: not hexadecimal: "},
		{"not hexadecimal in JSON with a name", `{"name":"a","hex":"xyz"}`, 0, `line 1: message "a": not hexadecimal: `},
		{"JSON without digits", `{"name":"a","hexx":"02"}`, 0, `line 1: message "a": missing member "hex"`},
		{"half a message", "0203", 0, "line 1: unexpected EOF"},
		{"half a message with a name", `{"name":"a","hex":"0203"}`, 0, `line 1: message "a": unexpected EOF`},
		{"not JSON", `{"hex"`, 0, "line 1: "},
	} {
		frames, err := xdrtest.ReadFrames(strings.NewReader(tt.text))
		if len(frames) != tt.frames && tt.err == "" || (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%s: %d frames, %v; want %d, %q", tt.name, len(frames), err, tt.frames, tt.err)
		}
		for _, f := range frames {
			if err == nil && !bytes.Equal(f, message) {
				t.Errorf("%s: % x", tt.name, f)
			}
		}
	}
}
