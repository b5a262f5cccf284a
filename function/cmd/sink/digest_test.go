package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change/changetest"
)

// The digests of the captures were computed by Aerospike's clients.
func TestDigest_captures(t *testing.T) {
	text, err := os.ReadFile(changetest.Testdata(t, "xdr.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	tested := map[string]int{}
	for line := range strings.Lines(string(text)) {
		var vector struct {
			Name   string
			Expect struct {
				Set, Digest string
				UserKey     struct{ Type, Raw string } `json:"user_key"`
			}
		}
		if json.Unmarshal([]byte(line), &vector) != nil || len(vector.Expect.UserKey.Raw) < 2 {
			continue // not a change with a key
		}
		key := vector.Expect.UserKey.Raw[2:] // without the particle type
		args := []string{"digest", "-x", vector.Expect.Set}
		switch vector.Expect.UserKey.Type {
		case "int":
			n, err := strconv.ParseUint(key, 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			args = append(args, "-int", strconv.FormatInt(int64(n), 10))
		case "string":
			args = append(args, decodeHex(t, key))
		case "blob":
			args = append(args, "-bytes", key)
		}
		tested[vector.Expect.UserKey.Type]++
		if out, _, err := sinkCommand(t, nil, args...); err != nil || out != vector.Expect.Digest+"\n" {
			t.Errorf("%s: sink %q: %q, error %v, want %s", vector.Name, args, out, err, vector.Expect.Digest)
		}
	}
	if tested["int"] == 0 || tested["string"] == 0 || tested["blob"] == 0 {
		t.Errorf("tested %v", tested)
	}
}

func decodeHex(t *testing.T, text string) string {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDigest(t *testing.T) {
	for _, tt := range []struct{ args, out, err string }{
		{"-int set1 777", "/+Ptyjj06wW9zx0AnxOmq45xJzs=\n", ""},
		{"set1 777 -int -x", "ffe3edca38f4eb05bdcf1d009f13a6ab8e71273b\n", ""},
		{"-int users 1.5", "", `sink digest: -int: KEY "1.5" is not a 64-bit integer; run "sink help digest"`},
		{"-bytes users xy", "", `sink digest: -bytes: KEY "xy" is not hexadecimal: encoding/hex: invalid byte: U+0078 'x'; run`},
		{"-bytes -int users 1", "", "sink digest: -int and -bytes exclude each other"},
		{"users", "", "sink digest: missing KEY"},
	} {
		out, _, err := sinkCommand(t, nil, append([]string{"digest"}, strings.Fields(tt.args)...)...)
		if out != tt.out || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("sink digest %s: %q, error %v; want %q, %q", tt.args, out, err, tt.out, tt.err)
		}
	}
}
