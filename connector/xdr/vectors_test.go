package xdr_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/xdr"
	"github.com/aerosink/aerosink/connector/xdr/xdrtest"
	"github.com/aerosink/aerosink/testdata"
)

func receipt() time.Time { return changetest.Receipt }

// eachVector runs test for each vector of a kind that is, or is not, valid.
func eachVector(t *testing.T, kind string, valid bool, test func(t *testing.T, v xdrtest.Vector, message []byte)) {
	t.Helper()
	vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, v := range vectors {
		if v.Kind != kind || v.Valid != valid {
			continue
		}
		ran++
		t.Run(v.Name, func(t *testing.T) {
			message, err := v.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			test(t, v, message)
		})
	}
	if ran == 0 {
		t.Fatalf("no vector is a %s that is valid: %t", kind, valid)
	}
}

func frame(t testing.TB, message []byte) xdr.Frame {
	t.Helper()
	f, err := xdr.NewReader(bytes.NewReader(message), 0).Next()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func decode(t testing.TB, message []byte) change.Change {
	t.Helper()
	var c change.Change
	if err := xdr.NewDecoder(0, receipt).Decode(frame(t, message), &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// expected is the content of a valid request, from its vector.
type expected struct {
	Namespace string        `json:"namespace"`
	Set       string        `json:"set"`
	Digest    string        `json:"digest"`
	UserKey   *expectedKey  `json:"user_key"`
	Op        string        `json:"op"`
	WriteMode string        `json:"write_mode"`
	Info      [4]int        `json:"info"`
	Gen       uint32        `json:"gen"`
	TTL       uint32        `json:"ttl_raw"`
	SourceID  uint8         `json:"src_id"`
	LUT       int64         `json:"lut_ms"`
	Bins      []expectedBin `json:"bins"`
}

type expectedKey struct{ Raw string }

type expectedBin struct {
	Name     string      `json:"name"`
	Particle change.Kind `json:"particle_type"`
	Value    any         `json:"value"`
	Raw      string      `json:"raw"`
	LUT      string      `json:"bin_lut_raw"`
}

func TestDecoder_validVectors(t *testing.T) {
	eachVector(t, "request", true, func(t *testing.T, v xdrtest.Vector, message []byte) {
		var want expected
		dec := json.NewDecoder(bytes.NewReader(v.Expect))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		c := decode(t, message)
		got := map[string]any{
			"namespace": c.Namespace, "set": c.Set, "digest": hex.EncodeToString(c.Digest[:]), "op": c.Op.String(),
			"mode": c.Mode, "generation": c.Generation, "source": c.SourceID, "lut": c.LUT, "expiry": c.Expiry,
			"bin luts": c.BinLUTs, "bins": len(c.Bins), "has a key": c.Key.Kind() != change.KindNil,
		}
		if diff := cmp.Diff(want.facts(), got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if want.UserKey != nil {
			key, err := xdr.AppendMessage(nil, &change.Change{Key: c.Key}, receipt())
			if err != nil {
				t.Fatal(err)
			}
			wantRaw(t, "user key", want.UserKey.Raw, key)
		}
		for i, b := range want.Bins {
			checkBin(t, b, c.Bins[i])
		}
	})
}

func (e expected) facts() map[string]any {
	mode := map[string]change.Mode{"create_or_replace": change.Replace, "update": change.Update}[e.WriteMode]
	expiry := int64(0)
	if e.TTL != 0xFFFFFFFF && e.WriteMode != "" {
		expiry = changetest.Receipt.Unix() + int64(e.TTL)
	}
	return map[string]any{
		"namespace": e.Namespace, "set": e.Set, "digest": e.Digest, "op": strings.ReplaceAll(e.Op, "_", "-"),
		"mode": mode, "generation": e.Gen, "source": e.SourceID, "lut": e.LUT, "expiry": expiry,
		"bin luts": e.Info[1] == 0x11, "bins": len(e.Bins), "has a key": e.UserKey != nil,
	}
}

func checkBin(t *testing.T, want expectedBin, got change.Bin) {
	t.Helper()
	if got.Name != want.Name || got.Value.Kind() != want.Particle {
		t.Errorf("bin %q of %s, want %q of %s", got.Name, got.Value.Kind(), want.Name, want.Particle)
	}
	if want.LUT != "" {
		if lut := fmt.Sprintf("%016x", got.LUT-1262304000000); lut != want.LUT {
			t.Errorf("bin %s: LUT %s, want %s", want.Name, lut, want.LUT)
		}
	}
	one := change.Change{Bins: []change.Bin{{Name: want.Name, Value: got.Value}}}
	raw, err := xdr.AppendMessage(nil, &one, receipt())
	if err != nil {
		t.Fatal(err)
	}
	wantRaw(t, "bin "+want.Name, want.Raw, raw)
	if !want.Particle.IsCollection() {
		return // the raw bytes are the whole value
	}
	var described struct{ Bins []struct{ Value any } }
	dec := json.NewDecoder(bytes.NewReader(changetest.Describe(&one)))
	dec.UseNumber()
	if err := dec.Decode(&described); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(toDescription(want.Value), toVector(described.Bins[0].Value)); diff != "" {
		t.Errorf("bin %s (-want +got):\n%s", want.Name, diff)
	}
}

func wantRaw(t *testing.T, what, want string, message []byte) {
	t.Helper()
	if !strings.HasSuffix(hex.EncodeToString(message), want) {
		t.Errorf("%s: the message %x does not end in %s", what, message, want)
	}
}

// toDescription converts the notation of a collection in the vectors to that of
// changetest.Describe.
func toDescription(x any) any {
	switch x := x.(type) {
	case []any:
		order, rest := orderOf(x)
		list := make([]any, len(rest))
		for i, e := range rest {
			list[i] = toDescription(e)
		}
		if order == nil {
			return list
		}
		return map[string]any{"$list": list, "$order": order}
	case map[string]any:
		if blob, ok := x["$blob"]; ok {
			return map[string]any{"$blob": blob}
		}
		pairs, ok := x["$map"].([]any)
		if !ok {
			return x
		}
		order, rest := orderOf(pairs)
		list := make([]any, len(rest))
		for i, p := range rest {
			pair := p.([]any)
			list[i] = []any{toDescription(pair[0]), toDescription(pair[1])}
		}
		m := map[string]any{"$map": list}
		if order != nil {
			m["$order"] = order
		}
		return m
	}
	return x
}

// toVector converts integral doubles in a description to integers, as in the vectors.
func toVector(x any) any {
	switch x := x.(type) {
	case []any:
		for i := range x {
			x[i] = toVector(x[i])
		}
	case map[string]any:
		if double, ok := x["$double"].(string); ok {
			return json.Number(double)
		}
		for k := range x {
			x[k] = toVector(x[k])
		}
	}
	return x
}

func orderOf(list []any) (order any, rest []any) {
	if len(list) > 0 {
		if m, ok := list[0].(map[string]any); ok && m["$order_flags"] != nil {
			return m["$order_flags"], list[1:]
		}
	}
	return nil, list
}

func TestAppendMessage_roundTrip(t *testing.T) {
	eachVector(t, "request", true, func(t *testing.T, v xdrtest.Vector, message []byte) {
		c := decode(t, message)
		again, err := xdr.AppendMessage([]byte("before"), &c, receipt())
		if err != nil {
			t.Fatal(err)
		}
		plain, _, err := xdr.Inflate(frame(t, message), xdr.DefaultLimit)
		if err != nil {
			t.Fatal(err)
		}
		if want := append([]byte("before"), plain...); !bytes.Equal(want, again) {
			t.Errorf("encoded\n%x, want\n%x", again, want)
		}
	})
}

func TestDecoder_malformedVectors(t *testing.T) {
	eachVector(t, "request", false, func(t *testing.T, v xdrtest.Vector, message []byte) {
		follower := xdr.AppendReply(nil, xdr.OK)
		r := xdr.NewReader(io.MultiReader(bytes.NewReader(message), bytes.NewReader(follower)), 0)
		if v.Error == "incomplete-body" {
			r = xdr.NewReader(bytes.NewReader(message), 0)
		}
		f, err := r.Next()
		if err == nil {
			var c change.Change
			err = xdr.NewDecoder(0, receipt).Decode(f, &c)
		}
		if v.Error == "incomplete-body" {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("error %v, want unexpected EOF", err)
			}
			return
		}
		var malformed *xdr.Error
		if !errors.As(err, &malformed) || malformed.Kind != xdr.ErrorKind(v.Error) {
			t.Fatalf("error %v, want %s", err, v.Error)
		}
		closes := strings.HasPrefix(v.Action, "close")
		if malformed.Framing() != closes || change.IsPermanent(err) == closes {
			t.Errorf("%v: framing lost: %t, permanent: %t; want: %s", err, malformed.Framing(), change.IsPermanent(err), v.Action)
		}
		if closes {
			return
		}
		if next, err := r.Next(); err != nil || !bytes.Equal(next, follower) {
			t.Errorf("next frame %x, error %v, want %x", next, err, follower)
		}
	})
}

func TestReader_streamVector(t *testing.T) {
	eachVector(t, "stream", true, func(t *testing.T, v xdrtest.Vector, stream []byte) {
		var want []string
		if err := json.Unmarshal(v.Expect, &want); err != nil {
			t.Fatal(err)
		}
		byHex := map[string]string{}
		vectors, err := xdrtest.ReadVectors(bytes.NewReader(testdata.XDR))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range vectors {
			byHex[v.Hex] = v.Name
		}
		var got []string
		for r := xdr.NewReader(bytes.NewReader(stream), 0); ; {
			f, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, byHex[hex.EncodeToString(f)])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestReply_vectors(t *testing.T) {
	eachVector(t, "ack", true, func(t *testing.T, v xdrtest.Vector, message []byte) {
		var want struct {
			Code xdr.Code `json:"result_code"`
		}
		if err := json.Unmarshal(v.Expect, &want); err != nil {
			t.Fatal(err)
		}
		got, err := xdr.ParseReply(frame(t, message))
		if err != nil || got != want.Code {
			t.Errorf("code %d, %v, want %d", got, err, want.Code)
		}
		if written := xdr.AppendReply(nil, want.Code); strings.HasSuffix(v.Name, "-backupgo") {
			if message[8] = 22; !bytes.Equal(written, message) {
				t.Errorf("wrote %x, want %x", written, message)
			}
		} else if !bytes.Equal(written, message) {
			t.Errorf("wrote %x, want %x", written, message)
		}
	})
}

func asError(err error) (*xdr.Error, bool) {
	var malformed *xdr.Error
	ok := errors.As(err, &malformed)
	return malformed, ok
}
