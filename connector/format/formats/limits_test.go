package formats_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/formats"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/connector/xdr"
)

// request is a body with its media type.
type request struct{ mediaType, body string }

// requests returns a body with the changes in each format and variant, by name.
func requests(t testing.TB, changes ...change.Change) map[string]request {
	t.Helper()
	all := map[string]request{}
	for _, f := range []format.Format{typed, flat, packs, newAvro(t, mapOfAnything), raw.Format{}} {
		body, mediaType := several(t, f, changes...)
		all[f.Name()] = request{mediaType, string(body)}
	}
	for _, name := range []string{"json", "flat-json"} {
		lines := strings.Split(strings.TrimSpace(all[name].body), "\n")
		all[name+" in an array"] = request{format.MediaJSON, "[" + strings.Join(lines, ", ") + "]"}
	}
	all["message-pack in an array"] = request{format.MediaMessagePack, string([]byte{0x90 | byte(len(changes))}) + all["message-pack"].body}
	all["xdr without proto headers"] = request{format.MediaXDR, string(bare(t, all["xdr"].body))}
	return all
}

// bare returns XDR messages without their proto headers.
func bare(t testing.TB, body string) (messages []byte) {
	t.Helper()
	for rest := []byte(body); len(rest) > 0; {
		f, next, err := xdr.Cut(rest)
		if err != nil {
			t.Fatal(err)
		}
		messages, rest = append(messages, f[8:]...), next
	}
	return messages
}

// nesting returns lists that nest to the given depth.
func nesting(t testing.TB, depth int) change.Value {
	t.Helper()
	var p change.Packer
	for range depth {
		p.Open(change.KindList, change.Unordered)
	}
	for range depth {
		p.Close()
	}
	v, err := p.Value(change.KindList)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A change that exceeds a limit does not affect the others, and its bytes and its offset
// are returned.
func TestParser_limitsOfOneChange(t *testing.T) {
	for _, tt := range []struct {
		name   string
		value  change.Value
		limits func(data int) format.Limits // for a change whose Data has so many bytes
		within func(data int) format.Limits
		err    string
	}{
		{
			"size", change.StringValue(bytes.Repeat([]byte("s"), 1000)),
			func(data int) format.Limits { return format.Limits{Change: data - 1} },
			func(data int) format.Limits { return format.Limits{Change: data} },
			"too large: a change of ",
		},
		{
			"depth", nesting(t, 4),
			func(int) format.Limits { return format.Limits{Depth: 3} },
			func(int) format.Limits { return format.Limits{Depth: 4} },
			"too large: lists and maps nest deeper than 3",
		},
	} {
		small := change.Change{Op: change.Delete, Namespace: "n", Generation: 1}
		for name, r := range requests(t, small, bin(tt.value), small) {
			for _, bins := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s/%s/bins=%t", tt.name, name, bins), func(t *testing.T) {
					p := formats.Parser{MetadataKey: "metadata", Bins: bins}
					want, err := p.Parse(r.mediaType, []byte(r.body))
					if err != nil || len(want) != 3 {
						t.Fatalf("%d changes, %v", len(want), err)
					}
					p.Limits = tt.within(len(want[1].Data))
					if got, err := p.Parse(r.mediaType, []byte(r.body)); err != nil || got[1].Err != nil {
						t.Errorf("just within the limit: %v, %v", got, err)
					}
					p.Limits = tt.limits(len(want[1].Data))
					got, err := p.Parse(r.mediaType, []byte(r.body))
					if err != nil || len(got) != 3 {
						t.Fatalf("%d changes, %v", len(got), err)
					}
					wantPermanent(t, got[1].Err, tt.err)
					if !errors.Is(got[1].Err, format.ErrTooLarge) || !strings.Contains(got[1].Err.Error(), fmt.Sprintf("byte %d:", want[1].Offset)) {
						t.Errorf("error %v, want one that is ErrTooLarge and names byte %d", got[1].Err, want[1].Offset)
					}
					for i := range want {
						if (got[i].Err != nil) != (i == 1) || got[i].Change.Namespace != "n" || got[i].Format != want[i].Format || got[i].Offset != want[i].Offset || !bytes.Equal(got[i].Data, want[i].Data) {
							t.Errorf("change %d: %v at byte %d in %s: %v", i, got[i].Data, got[i].Offset, got[i].Format, got[i].Err)
						}
					}
				})
			}
		}
	}
}

// No format nests deeper than 256, whatever the limit.
func TestParser_maxDepth(t *testing.T) {
	const depth = change.MaxDepth + 1
	text := strings.Repeat("[", depth) + strings.Repeat("]", depth)
	packed := strings.Repeat("\x91", depth-1) + "\x90"
	blob := bin(change.BytesValue(change.KindBlob, []byte(packed)))
	frame, err := xdr.AppendMessage(nil, &blob, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	frame[len(frame)-len(packed)-4] = byte(change.KindList) // the particle type, before flags, the name's length and the name
	key := "\x94\xa1n\xc0\xc4\x14" + strings.Repeat("\x00", 20) + "\xc0"
	for name, r := range map[string]request{
		"json":         {format.MediaJSON, `{"msg":"write","key":["n",null,"` + digest64 + `",null],"bins":[{"name":"b","type":"list","value":` + text + `}]}`},
		"flat-json":    {format.MediaNDJSON, `{"metadata":{"namespace":"n","digest":"` + digest64 + `","msg":"write"},"b":` + text + `}`},
		"message-pack": {format.MediaMessagePack, "\x93\x01\x01\x95" + key + "\xc0\xc0\xc0\x91\x94\xa1b\x14\x00" + packed},
		"xdr":          {format.MediaXDR, string(frame)},
	} {
		p := all
		p.Limits.Depth = 1000
		parsed, err := p.Parse(r.mediaType, []byte(r.body))
		if err != nil || len(parsed) != 1 || parsed[0].Format != name {
			t.Fatalf("%s: %v, %v", name, parsed, err)
		}
		wantPermanent(t, parsed[0].Err, "nest deeper than 256")
		if !errors.Is(parsed[0].Err, format.ErrTooLarge) {
			t.Errorf("%s: %v is not ErrTooLarge", name, parsed[0].Err)
		}
	}
}

// Too many changes are an error of the whole body.
func TestParser_limitOfChanges(t *testing.T) {
	c := change.Change{Op: change.Delete, Namespace: "n", Generation: 1}
	for name, r := range requests(t, c, c, c) {
		p := all
		p.Limits.Changes = 3
		if parsed, err := p.Parse(r.mediaType, []byte(r.body)); err != nil || len(parsed) != 3 {
			t.Errorf("%s: %d changes, %v", name, len(parsed), err)
		}
		p.Limits.Changes = 2
		parsed, err := p.Parse(r.mediaType, []byte(r.body))
		wantPermanent(t, err, "too large: more than 2 changes in one body")
		if parsed != nil || !errors.Is(err, format.ErrTooLarge) {
			t.Errorf("%s: %d changes, %v", name, len(parsed), err)
		}
	}
}

// compressed returns three changes in each compressed form, and their size without
// compression.
func compressed(t testing.TB) (requests map[string]request, plain map[string]int) {
	t.Helper()
	c := bin(change.StringValue(bytes.Repeat([]byte("s"), 50_000)))
	a := newAvro(t, mapOfAnything)
	datum, err := a.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	frame, err := xdr.AppendMessage(nil, &c, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	message, err := xdr.AppendCompressed(nil, frame)
	if err != nil {
		t.Fatal(err)
	}
	requests = map[string]request{"xdr": {format.MediaXDR, strings.Repeat(string(message), 3)}}
	plain = map[string]int{"xdr": 3 * len(frame)}
	data := bytes.Repeat(datum, 3)
	for name, block := range map[string][]byte{"deflate": deflate(t, data), "snappy": snap(data), "zstandard": zstandard(t, data), "zstandard of unknown size": zstandardStream(t, data)} {
		requests[name], plain[name] = request{format.MediaAvro, string(container(mapOfAnything, strings.Fields(name)[0], 3, block))}, len(data)
	}
	return requests, plain
}

// The limit is on the sum of what the parts of a body inflate to.
func TestParser_limitOfInflation(t *testing.T) {
	bodies, plain := compressed(t)
	for name, r := range bodies {
		p := all
		p.Limits.Inflated = plain[name]
		parsed, err := p.Parse(r.mediaType, []byte(r.body))
		if err != nil || len(parsed) != 3 {
			t.Fatalf("%s: %d changes, %v", name, len(parsed), err)
		}
		for _, one := range parsed {
			if one.Err != nil || len(one.Change.Bins) != 1 || one.Offset <= 0 && name != "xdr" || one.Offset >= len(r.body) {
				t.Errorf("%s: %+v", name, one)
			}
		}
		p.Limits.Inflated = plain[name] - 16
		_, err = p.Parse(r.mediaType, []byte(r.body))
		wantPermanent(t, err, fmt.Sprintf("too large: the %s inflate", map[bool]string{true: "messages", false: "file"}[name == "xdr"])[:20])
		if !errors.Is(err, format.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprintf("to more than %d bytes", p.Limits.Inflated)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A single message that inflates to more than the limit does not affect the others.
func TestParser_oneMessageInflatesTooMuch(t *testing.T) {
	bodies, plain := compressed(t)
	small, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for name, limits := range map[string]format.Limits{"inflated": {Inflated: 40_000}, "change": {Change: 40_000}} {
		p := formats.Parser{Limits: limits}
		parsed, err := p.Parse(format.MediaXDR, []byte(string(small)+bodies["xdr"].body+string(small)))
		if err != nil || len(parsed) != 5 || parsed[0].Err != nil || parsed[4].Err != nil {
			t.Fatalf("%s: %d changes, %v", name, len(parsed), err)
		}
		for _, one := range parsed[1:4] {
			wantPermanent(t, one.Err, fmt.Sprintf("too large: xdr message: uncompressed-size-too-big at byte 8: claims to inflate to %d bytes, the limit is 40008", plain["xdr"]/3))
			if !errors.Is(one.Err, format.ErrTooLarge) {
				t.Errorf("%s: %v is not ErrTooLarge", name, one.Err)
			}
		}
	}
}

// emptyBlocks returns a file of blocks without changes, the last of them truncated.
func emptyBlocks(codec string, block []byte) []byte {
	file := container(mapOfAnything, codec, 0, block)
	one := binary.AppendVarint([]byte{0}, int64(len(block)))
	one = append(append(one, block...), syncMarker...)
	return append(append(file, bytes.Repeat(one, 5000)...), 0)
}

// False sizes in headers take no memory, and bombs no more than the limit.
func TestParser_falseSizes(t *testing.T) {
	const limit = 1 << 20
	frame, err := xdr.AppendMessage(nil, &change.Change{Namespace: "n", Bins: []change.Bin{{Name: "b", Value: change.StringValue(make([]byte, 5<<20))}}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	honest, err := xdr.AppendCompressed(nil, frame)
	if err != nil {
		t.Fatal(err)
	}
	liar := bytes.Clone(honest)
	copy(liar[8:], []byte{0, 0, 0, 0, 0, 0x0f, 0xff, 0}) // just below the limit
	garbage := append(bytes.Clone(liar[:40]), bytes.Repeat([]byte{0xff}, 1000)...)
	garbage[6], garbage[7] = byte((len(garbage)-8)>>8), byte(len(garbage)-8)
	zeros := make([]byte, 5<<20)
	file := func(codec string, block []byte) []byte { return container(mapOfAnything, codec, 1, block) }
	digits := func(text string) []byte {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for _, tt := range []struct {
		name, mediaType string
		body            []byte
		most            uint64
	}{
		{"an honest bomb", format.MediaXDR, honest, 1 << 20},
		{"a lying bomb", format.MediaXDR, liar, 3 * limit},
		{"many lying bombs", format.MediaXDR, bytes.Repeat(liar, 100), 3 * limit},
		{"garbage that claims much", format.MediaXDR, bytes.Repeat(garbage, 100), 4 << 20},
		{"deflate", format.MediaAvro, file("deflate", deflate(t, zeros)), 3 * limit},
		{"snappy", format.MediaAvro, file("snappy", snap(zeros)), 1 << 20},
		{"zstandard", format.MediaAvro, file("zstandard", zstandard(t, zeros)), 1 << 20},
		{"zstandard of unknown size", format.MediaAvro, file("zstandard", zstandardStream(t, zeros)), 20 * limit},
		{"snappy that announces 4 GiB", format.MediaAvro, file("snappy", digits("ffffffff0f0000000000000000")), 1 << 20},
		{"snappy that announces all it may", format.MediaAvro, file("snappy", digits("8080e003"+"00000000000000")), 1 << 20},
		{"zstandard that announces 4 GiB", format.MediaAvro, file("zstandard", digits("28b52ffd"+"a0"+"ffffffff"+"010000")), 1 << 20},
		{"zstandard with a window of 2 GiB", format.MediaAvro, file("zstandard", digits("28b52ffd"+"00"+"a8"+"010000")), 1 << 20},
		{"zstandard with a window of 128 MiB", format.MediaAvro, file("zstandard", digits("28b52ffd"+"00"+"88"+"010000")), 1 << 20},
		{"many empty blocks, deflated", format.MediaAvro, emptyBlocks("deflate", deflate(t, nil)), 1 << 20},
		{"many empty blocks in zstandard", format.MediaAvro, emptyBlocks("zstandard", zstandard(t, nil)), 1 << 20},
		{"many empty blocks in snappy", format.MediaAvro, emptyBlocks("snappy", snap(nil)), 1 << 20},
		{"many empty messages, compressed", format.MediaXDR, bytes.Repeat(garbage[:60], 2000), 1 << 20},
		{"a file of deflated files", format.MediaAvro, file("deflate", deflate(t, file("deflate", deflate(t, zeros)))), 1 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := all
			p.Limits.Inflated = limit
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parsed, err := p.Parse(tt.mediaType, tt.body)
			runtime.ReadMemStats(&after)
			for _, one := range parsed {
				err = one.Err
			}
			wantPermanent(t, err, "byte ")
			if used := after.TotalAlloc - before.TotalAlloc; used > tt.most+uint64(16*len(tt.body)) {
				t.Errorf("%d bytes allocated for a body of %d", used, len(tt.body))
			}
		})
	}
}

// The memory for bodies of tiny, nested or repeated parts is proportional to their length.
func TestParser_memoryProportionalToBody(t *testing.T) {
	const size, most = 256 << 10, 40
	members := []byte(`{"metadata":{},"b":{"k":0`)
	for i := 0; len(members) < size; i++ {
		members = fmt.Appendf(members, `,"k%x":0`, i)
	}
	for _, tt := range []struct{ name, mediaType, part string }{
		{"empty objects", format.MediaJSON, "{}"},
		{"small objects", format.MediaJSON, `{"a":"` + strings.Repeat("s", 60) + `"}`},
		{"digits on lines", format.MediaNDJSON, "0\n"},
		{"lines", format.MediaNDJSON, strings.Repeat("s", 68) + "\n"},
		{"arrays in arrays", format.MediaJSON, "["},
		{"objects in objects", format.MediaJSON, `{"a":`},
		{"nils", format.MediaMessagePack, "\xc0"},
		{"small messages", format.MediaMessagePack, "\x93" + strings.Repeat("\x01", 31)},
		{"lists in lists", format.MediaMessagePack, "\x91"},
		{"empty lists", format.MediaMessagePack, "\x90"},
		{"empty frames", format.MediaXDR, "\x02\x03\x00\x00\x00\x00\x00\x00"},
		{"small frames", format.MediaXDR, "\x02\x03\x00\x00\x00\x00\x00\x28" + strings.Repeat("\x00", 40)},
		{"message headers", format.MediaXDR, "\x16" + strings.Repeat("\x00", 21)},
		{"bytes of ESP", format.MediaXDR, "\x01"},
		{"many members", format.MediaJSON, string(members) + "}}"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := []byte(strings.Repeat(tt.part, max(1, size/len(tt.part))))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			parsed, err := all.Parse(tt.mediaType, body)
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > most*uint64(len(body)) {
				t.Errorf("%d bytes allocated for a body of %d: %d changes, %v", used, len(body), len(parsed), err)
			}
		})
	}
}

// Every variant returns the offset and the bytes of each change.
func TestOffsetOf(t *testing.T) {
	c := bin(change.StringValue([]byte("text")))
	for name, r := range requests(t, c, c, c) {
		parsed, err := all.Parse(r.mediaType, []byte(r.body))
		if err != nil || len(parsed) != 3 {
			t.Fatalf("%s: %d changes, %v", name, len(parsed), err)
		}
		var got, want []string
		for _, one := range parsed {
			data := one.Data
			if name == "xdr without proto headers" {
				data = data[8:]
			}
			want = append(want, r.body[one.Offset:one.Offset+len(data)])
			got = append(got, string(data))
			if one.Err != nil || one.Format != strings.Fields(name)[0] {
				t.Errorf("%s: taken for %s, %v", name, one.Format, one.Err)
			}
			if diff := cmp.Diff("text", string(one.Change.Bins[0].Value.Bytes())); diff != "" {
				t.Errorf("%s: %s", name, changetest.Describe(&one.Change))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-body +data):\n%s", name, diff)
		}
	}
}
