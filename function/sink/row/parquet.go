package row

import (
	"bytes"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"

	"github.com/aerosink/aerosink/connector/change"
)

// parquetCodecs are the codecs of the pages of Parquet files.
var parquetCodecs = map[string]compress.Codec{
	"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd,
}

var parquetSchema = parquet.SchemaOf(record{})

// ParquetFile returns a Parquet file of the rows, in one row group. The codec is none,
// snappy, gzip or zstd. The same rows give the same bytes.
func ParquetFile(rows []Row, codec string) ([]byte, error) {
	compression, ok := parquetCodecs[codec]
	if !ok {
		return nil, fmt.Errorf("write a Parquet file: unknown codec %q; known are none, snappy, gzip and zstd", codec)
	}
	var file bytes.Buffer
	w := parquet.NewGenericWriter[record](&file, parquetSchema, parquet.Compression(compression),
		parquet.KeyValueMetadata(versionKey, strconv.Itoa(Version)), createdBy(),
		parquet.DataPageVersion(1)) // not every engine reads version 2
	if err := writeColumns(w.ColumnWriters(), rows); err != nil {
		return nil, fmt.Errorf("write a Parquet file: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("write a Parquet file: %w", err)
	}
	return sealed(file.Bytes()), nil
}

// writerOption is an option that the library has no function for.
type writerOption func(*parquet.WriterConfig)

// ConfigureWriter implements [parquet.WriterOption].
func (o writerOption) ConfigureWriter(c *parquet.WriterConfig) { o(c) }

// createdBy returns the option that names the program in the footer. That of the library
// leaves out a space.
var createdBy = sync.OnceValue(func() parquet.WriterOption {
	info, _ := debug.ReadBuildInfo()
	text := program(info)
	return writerOption(func(c *parquet.WriterConfig) { c.CreatedBy = text })
})

// program returns the program in the form that Parquet asks for, so that readers can tell
// versions apart: APPLICATION version VERSION (build HASH).
func program(info *debug.BuildInfo) string {
	version, build := "devel", "unknown"
	if info != nil {
		if v := info.Main.Version; v != "" && v != "(devel)" {
			version = strings.TrimPrefix(v, "v")
		}
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				build = s.Value
			}
		}
	}
	return "aerosink version " + version + " (build " + build + ")"
}

// atOnce is how many rows are turned into columns at once. More would not be faster and
// would take more memory.
const atOnce = 64

func writeColumns(to []*parquet.ColumnWriter, rows []Row) error {
	c := columns{values: make([][]parquet.Value, len(to)), texts: map[string]parquet.Value{}}
	for len(rows) > 0 {
		n := min(len(rows), atOnce)
		for i := range rows[:n] {
			c.row(&rows[i])
		}
		rows = rows[n:]
		for i, values := range c.values {
			if _, err := to[i].WriteRowValues(values); err != nil {
				return err
			}
			c.values[i] = values[:0]
		}
	}
	return nil
}

// columns has the values of rows by column, in the order of the schema.
type columns struct {
	values     [][]parquet.Value
	column     int // the next to add to
	repetition int // level of the next value

	texts map[string]parquet.Value // that are repeated
}

// add adds a value with a definition level: how many of the optional or repeated fields on
// its path are present. An absent value is null.
func (c *columns) add(v parquet.Value, level int) {
	c.values[c.column] = append(c.values[c.column], v.Level(c.repetition, level, c.column))
	c.column++
}

// optional adds a value of an optional field, or null unless it is known.
func (c *columns) optional(v parquet.Value, known bool, level int) {
	if known {
		c.add(v, level+1)
	} else {
		c.add(parquet.Value{}, level)
	}
}

// text returns s as a value.
func (c *columns) text(s string) parquet.Value {
	v, ok := c.texts[s]
	if !ok {
		v = parquet.ByteArrayValue([]byte(s))
		c.texts[s] = v
	}
	return v
}

func (c *columns) row(r *Row) {
	n := &r.c
	c.column, c.repetition = 0, 0
	c.add(c.text(n.Op.String()), 0)
	c.optional(c.text(r.mode()), n.Mode != change.ModeUnknown, 0)
	c.add(c.text(n.Namespace), 0)
	c.optional(c.text(n.Set), n.Set != "", 0)
	if r.key.v.Kind() == change.KindNil {
		c.nulls(keyColumns)
	} else {
		c.scalars(&r.key)
	}
	c.add(parquet.FixedLenByteArrayValue(n.Digest[:]), 0)
	c.add(parquet.Int32Value(int32(n.Digest.Partition())), 0)
	c.optional(parquet.Int64Value(int64(n.Generation)), n.Generation > 0, 0)
	c.optional(parquet.Int64Value(n.LUT), n.LUT > 0, 0)
	expires, known := r.expires()
	c.optional(parquet.BooleanValue(expires), known, 0)
	c.optional(parquet.Int64Value(n.Expiry*1000), expires && known, 0)
	c.add(parquet.Int32Value(int32(n.SourceID)), 0)
	c.add(parquet.BooleanValue(n.BinLUTs), 0)
	c.bins(r.bins)
}

// The numbers of columns of a key, and of a bin with its name.
const (
	keyColumns = 6
	binColumns = 12
)

// nulls adds null to the n columns of an absent key or map.
func (c *columns) nulls(n int) {
	for range n {
		c.add(parquet.Value{}, 0)
	}
}

// bins adds a map: its first entry has repetition level 0, the others have 1.
func (c *columns) bins(bins []cell) {
	if len(bins) == 0 {
		c.nulls(binColumns)
	}
	first := c.column
	for i := range bins {
		b := &bins[i]
		c.column = first
		c.add(c.text(b.name), 1)
		c.scalars(b)
		c.optional(parquet.BooleanValue(b.v.Bool()), b.v.Kind() == change.KindBool, 1)
		c.optional(parquet.ByteArrayValue(b.json), b.json != nil, 1)
		c.optional(c.text(b.order()), b.order() != "", 1)
		c.optional(parquet.Int64Value(b.lut), b.lut > 0, 1)
		c.optional(parquet.Int32Value(int32(b.sourceID)), b.lut > 0, 1)
		c.repetition = 1
	}
}

// scalars adds the columns that a key and a bin begin with.
func (c *columns) scalars(b *cell) {
	kind := b.v.Kind()
	c.add(c.text(labelOf(kind)), 1)
	c.add(parquet.Int32Value(b.particle()), 1)
	c.optional(parquet.Int64Value(b.v.Integer()), kind == change.KindInteger, 1)
	c.optional(parquet.DoubleValue(b.v.Double()), kind == change.KindDouble, 1)
	str, ok := b.text()
	c.optional(parquet.ByteArrayValue(str), ok, 1)
	raw, ok := b.bytes()
	c.optional(parquet.ByteArrayValue(raw), ok, 1)
}
