package pubsub

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/function/sink/row"
)

// compressions are the names of what a packed message may be compressed with.
var compressions = []string{"zstd", "gzip", "none"}

// pack are changes that go into packed messages.
type pack struct {
	format, compression string

	text []byte // NDJSON
	ends []int  // of its lines
	rows []row.Row
}

// add adds a change. An error is permanent.
func (k *pack) add(p *format.Parsed) error {
	if k.format == "avro" {
		r, err := row.Of(p)
		if err == nil {
			k.rows = append(k.rows, r)
		}
		return err
	}
	text, err := p.AppendLine(k.text)
	if err == nil {
		k.text = append(text, '\n')
		k.ends = append(k.ends, len(k.text))
	}
	return err
}

// data returns what a message of the changes from to to holds.
func (k *pack) data(from, to int) ([]byte, error) {
	if k.format == "avro" {
		return row.AvroFile(k.rows[from:to], map[string]string{"zstd": "zstandard", "gzip": "deflate", "none": "null"}[k.compression])
	}
	start := 0
	if from > 0 {
		start = k.ends[from-1]
	}
	return compress(k.compression, k.text[start:k.ends[to-1]])
}

// pack writes the changes of a lane, order[start:end], as one message, or as few as
// have room in requests.
func (w *writing) pack(lane, start, end int) {
	k := pack{format: w.packed, compression: w.compression, text: w.writer.data[:0]}
	kept := start
	for at := start; at < end; at++ {
		if err := k.add(w.change(at)); err != nil {
			w.judge(message{first: at, last: at + 1}, err)
			continue
		}
		w.order[kept] = w.order[at]
		if w.marks != nil {
			w.marks[kept] = w.marks[at]
		}
		kept++
	}
	w.writer.data = k.text
	if kept > start {
		w.halve(lane, &k, start, start, kept)
	}
}

// halve writes order[start:end] as one message, or each half by itself. The first
// change of the pack is order[first].
func (w *writing) halve(lane int, k *pack, first, start, end int) {
	data, err := k.data(start-first, end-first)
	if err != nil {
		w.judge(message{first: start, last: end}, fmt.Errorf("publish to %s: %w", w.url, err))
		return
	}
	w.summary(start, end)
	over := w.add(lane, data, start, end)
	switch {
	case over == 0:
	case end-start == 1:
		w.judge(message{first: start, last: end}, w.tooLarge(over))
	default:
		middle := (start + end) / 2
		w.halve(lane, k, first, start, middle)
		w.halve(lane, k, first, middle, end)
	}
}

// summary writes the attributes of a packed message.
func (w *writing) summary(start, end int) {
	first := &w.change(start).Change
	namespace, set, least, most := first.Namespace, first.Set, int64(0), int64(0)
	for at := start; at < end; at++ {
		c := &w.change(at).Change
		if c.Namespace != namespace {
			namespace, set = "", ""
		}
		if c.Set != set {
			set = ""
		}
		if c.LUT > 0 && (least == 0 || c.LUT < least) {
			least = c.LUT
		}
		most = max(most, c.LUT)
	}
	w.writer.text("format", w.packed)
	if w.packed != "avro" && w.compression != "none" { // a container file says it itself
		w.writer.text("encoding", w.compression)
	}
	w.writer.number("changes", int64(end-start))
	w.writer.text("namespace", namespace)
	w.writer.text("set", set)
	if most > 0 {
		w.writer.number("lut-min", least)
		w.writer.number("lut-max", most)
	}
	w.writer.text("traceparent", w.batch.TraceParent)
}

// zstandard compresses whole messages, any number at once.
var zstandard, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest)) // fails on options alone

// compress returns data compressed. The result may be data itself.
func compress(with string, data []byte) ([]byte, error) {
	switch with {
	case "zstd":
		return zstandard.EncodeAll(data, nil), nil
	case "gzip":
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		if _, err := z.Write(data); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		if err := z.Close(); err != nil {
			return nil, fmt.Errorf("compress: %w", err)
		}
		return out.Bytes(), nil
	}
	return data, nil
}
