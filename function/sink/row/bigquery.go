package row

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/json"
)

// AppendBigQuery appends the change as a message from which a BigQuery subscription
// that uses the table's schema makes the record's row: a JSON object of columns,
// beside what is to happen (https://cloud.google.com/pubsub/docs/bigquery,
// https://cloud.google.com/bigquery/docs/change-data-capture):
//
//	{"_CHANGE_TYPE":"UPSERT","_CHANGE_SEQUENCE_NUMBER":"1a14648deea/7","ns":"shop",
//	 "digest":"ZGlnZXN0…","set_name":"orders","key":"o-1","key_type":"str","generation":7,
//	 "lut":"2026-10-16T19:55:43.210Z","expires":false,"source_id":0,"bins":"{\"age\":27}"}
//	{"_CHANGE_TYPE":"DELETE","_CHANGE_SEQUENCE_NUMBER":"1a14648e6ba/8","ns":"shop",
//	 "digest":"ZGlnZXN0…"}
//
// Namespace and digest are the table's primary key. A column that is left out is null,
// for an upsert replaces the whole row. A JSON column is a string of JSON; its values
// are those of flat JSON, GeoJSON as far as BigQuery takes it. Of several changes of a
// record the one with the highest sequence number counts, in whatever order they come:
// that is the last update time, then the generation. The generation begins anew after
// 65535, and when a deleted record is written again; within one millisecond that would
// be in disorder.
//
// An error is permanent, and dst is then what it was. Beside what the schema has no
// form for, a change of which the last update time is unknown is refused, since in one
// table there must be no rows without a sequence number, and a write that is not the
// whole record.
func AppendBigQuery(dst []byte, c *change.Change) ([]byte, error) {
	r := Row{c: *c, key: cell{v: c.Key}}
	err := r.check()
	if err == nil {
		err = r.checkWhole()
	}
	message := dst
	if err == nil {
		message, err = r.appendMessage(dst)
	}
	if err != nil {
		return dst, change.Permanent(fmt.Errorf("make a row of BigQuery: %w", err))
	}
	return message, nil
}

var (
	errNoLUT    = errors.New("without a last update time its place among the record's changes is unknown")
	errNotWhole = errors.New("a row holds all bins of the record, and the change has only some or none: set bin-policy all and write-policy auto where the database ships it")
)

// checkWhole finds out whether the row of the record follows from the change alone. A
// sender that does not tell the mode of a write is believed to ship whole records, but
// a record has bins, and none that was deleted.
func (r *Row) checkWhole() error {
	c := &r.c
	isDeleted := func(b change.Bin) bool { return b.Value.Kind() == change.KindNil }
	switch {
	case c.LUT == 0:
		return errNoLUT
	case c.Op.IsDelete():
		return nil
	case c.Mode == change.Update || len(c.Bins) == 0 || slices.ContainsFunc(c.Bins, isDeleted):
		return errNotWhole
	}
	return nil
}

func (r *Row) appendMessage(dst []byte) ([]byte, error) {
	c := &r.c
	dst = append(dst, `{"_CHANGE_TYPE":"`...)
	if c.Op.IsDelete() {
		dst = append(dst, "DELETE"...)
	} else {
		dst = append(dst, "UPSERT"...)
	}
	dst = appendSequence(append(dst, `","_CHANGE_SEQUENCE_NUMBER":"`...), c)
	dst = json.AppendString(append(dst, `","ns":`...), c.Namespace)
	dst = base64.StdEncoding.AppendEncode(append(dst, `,"digest":"`...), c.Digest[:])
	dst = append(dst, '"')
	if c.Op.IsDelete() {
		return append(dst, '}'), nil
	}
	dst, err := appendBinsText(append(r.appendColumns(dst), `,"bins":`...), c.Bins)
	return append(dst, '}'), err
}

// appendSequence appends a sequence number: sections of hexadecimal digits, which are
// compared as numbers, one after the other.
func appendSequence(dst []byte, c *change.Change) []byte {
	dst = strconv.AppendUint(dst, uint64(c.LUT), 16)
	return strconv.AppendUint(append(dst, '/'), uint64(c.Generation), 16)
}

// appendColumns appends what an upsert says of the record beside its bins.
func (r *Row) appendColumns(dst []byte) []byte {
	c := &r.c
	if c.Set != "" {
		dst = json.AppendString(append(dst, `,"set_name":`...), c.Set)
	}
	if kind := c.Key.Kind(); kind != change.KindNil {
		dst = appendKeyText(append(dst, `,"key":`...), c.Key)
		dst = append(append(append(dst, `,"key_type":"`...), labelOf(kind)...), '"')
	}
	if c.Generation > 0 {
		dst = strconv.AppendUint(append(dst, `,"generation":`...), uint64(c.Generation), 10)
	}
	dst = appendTime(append(dst, `,"lut":`...), time.UnixMilli(c.LUT))
	if expires, known := r.expires(); known {
		dst = strconv.AppendBool(append(dst, `,"expires":`...), expires)
		if expires {
			dst = appendTime(append(dst, `,"expiry":`...), time.Unix(c.Expiry, 0))
		}
	}
	return strconv.AppendUint(append(dst, `,"source_id":`...), uint64(c.SourceID), 10)
}

// appendTime appends a time as BigQuery reads one in a string. A number it would take
// for microseconds.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}

// appendKeyText appends a user key of any type as a string.
func appendKeyText(dst []byte, key change.Value) []byte {
	start := len(dst)
	dst, _ = json.AppendValue(dst, key) // there is a form for what may be a user key
	if dst[start] == '"' {
		return dst
	}
	return append(slices.Insert(dst, start, '"'), '"')
}

// appendBinsText appends bins as a string of JSON. The JSON is first written where the
// string will be, and the string moved over it.
func appendBinsText(dst []byte, bins []change.Bin) ([]byte, error) {
	start := len(dst)
	dst, err := json.AppendBins(dst, bins)
	if err != nil {
		return nil, err
	}
	end := len(dst)
	dst = json.AppendString(dst, dst[start:end])
	return dst[:start+copy(dst[start:], dst[end:])], nil
}
