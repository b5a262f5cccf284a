package replay_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// A damaged object is reported with the error. Its readable part and all other objects are
// replayed.
func TestRun_damagedObjects(t *testing.T) {
	changes := orders(1500)
	good, last := lines(t, changes[:1]), lines(t, changes[1:2])
	many := lines(t, changes)
	flipped := bytes.Clone(archives[".ndjson.gz"](t, changes))
	flipped[len(flipped)-5] ^= 1 // of the checksum
	for name, tt := range map[string]struct {
		file    string
		content []byte
		want    string
		changes int
	}{
		"gzip cut off":    {"m.ndjson.gz", archives[".ndjson.gz"](t, changes)[:len(flipped)-10], "after line 1500: unexpected EOF", 1500},
		"gzip checksum":   {"m.ndjson.gz", flipped, "gzip: invalid checksum", 1500},
		"gzip header":     {"m.ndjson.gz", []byte{0x1f, 0x8b, 1}, "", 0},
		"zstd cut off":    {"m.ndjson.zst", archives[".ndjson.zst"](t, changes)[:200], "unexpected EOF", 0},
		"not compressed":  {"m.ndjson.gz", many, "the name ends in .gz", 0},
		"empty":           {"m.ndjson.zst", nil, "the name ends in .zst", 0},
		"not Avro":        {"m.avro", many, "read an Avro file: ", 0},
		"Avro cut off":    {"m.avro", archives[".avro"](t, changes)[:2000], "read an Avro file: ", 0},
		"not Parquet":     {"m.parquet", many, "read a Parquet file: ", 0},
		"Parquet cut off": {"m.parquet", archives[".parquet"](t, changes)[:9000], "read a Parquet file: ", 0},
	} {
		t.Run(name, func(t *testing.T) {
			var m memory
			o, out := options(store(t, map[string][]byte{"a.ndjson": good, tt.file: tt.content, "z.ndjson": last}), m.spec())
			s, err := runOnce(t, o)
			if err != nil || s.Objects != 3 || s.Damaged != 1 || s.Err() == nil || s.Changes != tt.changes+2 {
				t.Errorf("%s; errors %v, %v", s, err, s.Err())
			}
			if !strings.Contains(out.String(), tt.file+": damaged or deleted: ") || !strings.Contains(out.String(), tt.want) {
				t.Errorf("the output lacks %q:\n%s", tt.want, out.String())
			}
			all := describe(changes)
			want := append(append([]string{all[0]}, all[:tt.changes]...), all[1])
			if diff := cmp.Diff(want, m.got); diff != "" {
				t.Errorf("(-want +got):\n%.1000s", diff)
			}
		})
	}
}

// The compression is detected from the content: a user may have renamed or decompressed the
// file.
func TestDecompress_anyExtension(t *testing.T) {
	var m memory
	changes := orders(3)
	o, _ := options(store(t, map[string][]byte{"a.ndjson": archives[".ndjson.gz"](t, changes[:1]), "b.ndjson": archives[".ndjson.zst"](t, changes[1:])}), m.spec())
	run(t, o)
	if diff := cmp.Diff(describe(changes), m.got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
