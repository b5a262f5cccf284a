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

// AppendBigQuery appends the message of a change for a BigQuery subscription that uses the
// table's schema and keeps a row for each record. It is a JSON object of the columns and of
// what to do (https://cloud.google.com/pubsub/docs/bigquery,
// https://cloud.google.com/bigquery/docs/change-data-capture):
//
//	{"_CHANGE_TYPE":"UPSERT","_CHANGE_SEQUENCE_NUMBER":"1a14648deea/7","ns":"shop",
//	 "digest":"ZGlnZXN0…","set_name":"orders","key":"o-1","key_type":"str","generation":7,
//	 "lut":"2026-10-16T19:55:43.210Z","expires":false,"source_id":0,"bins":"{\"age\":27}"}
//	{"_CHANGE_TYPE":"DELETE","_CHANGE_SEQUENCE_NUMBER":"1a14648e6ba/8","ns":"shop",
//	 "digest":"ZGlnZXN0…"}
//
// Namespace and digest are the primary key of the table. A missing column is null, because
// an upsert replaces the whole row. A JSON column is a string of JSON, with the values of
// flat JSON; GeoJSON is limited to what BigQuery accepts. Of several changes of a record the
// one with the highest sequence number wins, in whatever order they arrive. The number is
// the last update time, then the generation. The generation restarts after 65535, and when a
// deleted record is written again. Two changes in one millisecond across a restart would be
// in the wrong order.
//
// An error is permanent, and dst is then unchanged. Besides changes that the schema cannot
// express, it refuses changes without a last update time, since a table must not have rows
// without a sequence number, and writes that are not the whole record.
func AppendBigQuery(dst []byte, c *change.Change) ([]byte, error) {
	r := Row{c: *c, key: cell{v: c.Key}}
	err := r.check()
	if err == nil {
		err = checkWhole(c)
	}
	message := dst
	if err == nil {
		message, err = appendMessage(dst, &r)
	}
	if err != nil {
		return dst, change.Permanent(fmt.Errorf("make a row of BigQuery: %w", err))
	}
	return message, nil
}

var (
	errNoLUT    = errors.New("no last update time, so the order of the changes of the record is unknown")
	errNotWhole = errors.New("a row has all bins of a record, but the change has only some or none: set bin-policy all and write-policy auto in the database")
)

// checkWhole checks that the change has the whole record. A write of unknown mode is taken
// for the whole record if it has bins and none of them is deleted.
func checkWhole(c *change.Change) error {
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

// appendMessage appends the message of a row.
func appendMessage(dst []byte, r *Row) ([]byte, error) {
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
	dst, err := appendBinsText(append(appendColumns(dst, r), `,"bins":`...), c.Bins)
	return append(dst, '}'), err
}

// appendSequence appends a sequence number: hexadecimal numbers, which BigQuery compares one
// after the other.
func appendSequence(dst []byte, c *change.Change) []byte {
	dst = strconv.AppendUint(dst, uint64(c.LUT), 16)
	return strconv.AppendUint(append(dst, '/'), uint64(c.Generation), 16)
}

// appendColumns appends the columns of an upsert that are not in a delete, except bins.
func appendColumns(dst []byte, r *Row) []byte {
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

// appendTime appends a time as BigQuery reads it from a string. It would take a number for
// microseconds.
func appendTime(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, `"2006-01-02T15:04:05.000Z"`)
}

// appendKeyText appends a user key of any type as a string.
func appendKeyText(dst []byte, key change.Value) []byte {
	start := len(dst)
	dst, _ = json.AppendValue(dst, key) // JSON can express every user key
	if dst[start] == '"' {
		return dst
	}
	return append(slices.Insert(dst, start, '"'), '"')
}

// appendBinsText appends bins as a string of JSON. It writes the JSON to the end of dst
// first, then the string after it, and moves the string over the JSON.
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
