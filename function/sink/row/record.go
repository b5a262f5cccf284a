package row

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/format/json"
)

// metadata is a row as it is read from a file, without user key and bins: a column that may be
// null is a pointer.
type metadata struct {
	Op         string   `avro:"op" parquet:"op,dict"`
	Mode       *string  `avro:"mode" parquet:"mode,optional,dict"`
	Namespace  string   `avro:"ns" parquet:"ns,dict"`
	Set        *string  `avro:"set_name" parquet:"set_name,optional,dict"`
	Digest     [20]byte `avro:"digest" parquet:"digest"`
	Generation *int64   `avro:"generation" parquet:"generation,optional"`
	LUT        *int64   `avro:"lut" parquet:"lut,optional,timestamp(millisecond),plain"`
	Expires    *bool    `avro:"expires" parquet:"expires,optional"`
	Expiry     *int64   `avro:"expiry" parquet:"expiry,optional,timestamp(millisecond),plain"`
	SourceID   int32    `avro:"source_id" parquet:"source_id,dict"`
	BinLUTs    bool     `avro:"bin_luts" parquet:"bin_luts"`
}

// record is a row as it is read from a file. Its tags define the Parquet schema, which has the
// same columns as the Avro schema. They use only encodings that every engine reads.
type record struct {
	Op          string         `avro:"op" parquet:"op,dict"`
	Mode        *string        `avro:"mode" parquet:"mode,optional,dict"`
	Namespace   string         `avro:"ns" parquet:"ns,dict"`
	Set         *string        `avro:"set_name" parquet:"set_name,optional,dict"`
	Key         *recordKey     `avro:"key" parquet:"key,optional"`
	Digest      [20]byte       `avro:"digest" parquet:"digest"`
	PartitionID int32          `avro:"partition_id" parquet:"partition_id"`
	Generation  *int64         `avro:"generation" parquet:"generation,optional"`
	LUT         *int64         `avro:"lut" parquet:"lut,optional,timestamp(millisecond),plain"`
	Expires     *bool          `avro:"expires" parquet:"expires,optional"`
	Expiry      *int64         `avro:"expiry" parquet:"expiry,optional,timestamp(millisecond),plain"`
	SourceID    int32          `avro:"source_id" parquet:"source_id,dict"`
	BinLUTs     bool           `avro:"bin_luts" parquet:"bin_luts"`
	Bins        map[string]bin `avro:"bins" parquet:"bins" parquet-key:",dict"`
}

// metadata returns the record without user key and bins.
func (r *record) metadata() *metadata {
	return &metadata{
		r.Op, r.Mode, r.Namespace, r.Set, r.Digest, r.Generation, r.LUT, r.Expires, r.Expiry, r.SourceID, r.BinLUTs,
	}
}

type recordKey struct {
	Type     string   `avro:"type" parquet:"type,dict"`
	Particle int32    `avro:"particle" parquet:"particle,dict"`
	Int      *int64   `avro:"int" parquet:"int,optional"`
	Float    *float64 `avro:"float" parquet:"float,optional"`
	String   *string  `avro:"string" parquet:"string,optional,plain"`
	Bytes    *[]byte  `avro:"bytes" parquet:"bytes,optional,plain"`
}

type bin struct {
	Type     string   `avro:"type" parquet:"type,dict"`
	Particle int32    `avro:"particle" parquet:"particle,dict"`
	Int      *int64   `avro:"int" parquet:"int,optional"`
	Float    *float64 `avro:"float" parquet:"float,optional"`
	String   *string  `avro:"string" parquet:"string,optional,plain"`
	Bytes    *[]byte  `avro:"bytes" parquet:"bytes,optional,plain"`
	Bool     *bool    `avro:"bool" parquet:"bool,optional"`
	JSON     *string  `avro:"json" parquet:"json,optional,plain"`
	Order    *string  `avro:"order" parquet:"order,optional,dict"`
	LUT      *int64   `avro:"lut" parquet:"lut,optional,timestamp(millisecond),plain"`
	SourceID *int32   `avro:"source_id" parquet:"source_id,optional,dict"`
}

// change returns the record's change, which owns its bytes.
func (r *record) change() (change.Change, error) {
	c, err := r.metadata().change()
	if err != nil {
		return change.Change{}, err
	}
	if r.Key != nil {
		b := bin{Type: r.Key.Type, Particle: r.Key.Particle, Int: r.Key.Int, Float: r.Key.Float, String: r.Key.String, Bytes: r.Key.Bytes}
		if c.Key, err = b.value(); err != nil {
			return change.Change{}, fmt.Errorf("its key: %w", err)
		}
	}
	return c, r.addBins(&c)
}

// change returns the change without user key and bins.
func (r *metadata) change() (change.Change, error) {
	c := change.Change{
		Namespace: r.Namespace, Set: or(r.Set, ""), Digest: r.Digest,
		Generation: uint32(or(r.Generation, 0)), LUT: or(r.LUT, 0), Expiry: r.expiry(),
		SourceID: uint8(r.SourceID), BinLUTs: r.BinLUTs,
	}
	for c.Op.String() != r.Op {
		if c.Op++; c.Op > change.DurableDelete {
			return change.Change{}, errors.New("its op is neither write, delete nor durable-delete")
		}
	}
	if c.Op.IsDelete() {
		c.Expiry = 0
	}
	mode := slices.Index(modes[:], or(r.Mode, ""))
	if mode < 0 {
		return change.Change{}, errors.New("its mode is neither replace nor update")
	}
	c.Mode = change.Mode(mode)
	return c, c.CheckTimes()
}

// expiry returns the expiry of a write, in Unix seconds.
func (r *metadata) expiry() int64 {
	switch {
	case r.Expires == nil:
		return change.ExpiryUnknown
	case *r.Expires:
		return or(r.Expiry, 0) / 1000
	}
	return 0
}

func (r *record) addBins(c *change.Change) error {
	for _, name := range slices.Sorted(maps.Keys(r.Bins)) {
		b := r.Bins[name]
		v, err := b.value()
		if err == nil {
			err = change.CheckLUT(or(b.LUT, 0))
		}
		if err != nil {
			return fmt.Errorf("bin %s: %w", name, err)
		}
		c.Bins = append(c.Bins, change.Bin{Name: name, Value: v, LUT: or(b.LUT, 0), SourceID: uint8(or(b.SourceID, 0))})
	}
	return nil
}

// or returns *p, or absent if p is nil.
func or[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

// value returns the value, from the column that its type uses.
func (b *bin) value() (change.Value, error) {
	switch {
	case b.Type == labelNull:
		return change.Value{}, nil
	case b.Type == labelInt && b.Int != nil:
		return change.IntegerValue(*b.Int), nil
	case b.Type == labelFloat && b.Float != nil:
		return change.DoubleValue(*b.Float), nil
	case b.Type == labelBool && b.Bool != nil:
		return change.BoolValue(*b.Bool), nil
	case b.Type == labelUint && b.String != nil:
		u, err := strconv.ParseUint(*b.String, 10, 64)
		if err != nil {
			return change.Value{}, errors.New("invalid uint")
		}
		return change.UnsignedValue(u), nil
	case b.Type == labelString && b.String != nil:
		return change.StringValue([]byte(*b.String)), nil
	case b.Type == labelString && b.Bytes != nil:
		return change.StringValue(*b.Bytes), nil
	case b.Type == labelGeoJSON && b.JSON != nil:
		return change.GeoJSONValue([]byte(*b.JSON)), nil
	case b.Type == labelGeoJSON && b.Bytes != nil:
		return change.GeoJSONValue(*b.Bytes), nil
	}
	return b.binary()
}

// binary returns the value of a blob, hll, list or map.
func (b *bin) binary() (change.Value, error) {
	switch kind := change.Kind(b.Particle); {
	case b.Type == labelHLL && b.Bytes != nil:
		return change.BytesValue(change.KindHLL, *b.Bytes), nil
	case b.Type == labelBlob && b.Bytes != nil && labelOf(kind) == labelBlob && b.Particle <= 255:
		return change.BytesValue(kind, *b.Bytes), nil
	case b.Type == labelList && b.Bytes != nil:
		return change.ListValue(*b.Bytes)
	case b.Type == labelMap && b.Bytes != nil:
		return change.MapValue(*b.Bytes)
	case b.Type == labelList && b.JSON != nil, b.Type == labelMap && b.JSON != nil:
		return b.collection()
	}
	return change.Value{}, errors.New("its type is unknown, or the column for its type is null")
}

// collection returns a list or map that is stored as JSON only.
func (b *bin) collection() (change.Value, error) {
	kind, order := change.KindList, change.Unordered
	if b.Type == labelMap {
		kind = change.KindMap
	}
	for _, o := range orders {
		if o.kind == kind && o.name == or(b.Order, "") {
			order = o.order
		}
	}
	v, err := json.ParseValue([]byte(*b.JSON), order)
	if err == nil && v.Kind() != kind {
		err = errors.New("its text does not fit its type")
	}
	return v, err
}
