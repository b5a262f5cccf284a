package archive

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/function/sink"
)

func TestTemplate_appendFolder(t *testing.T) {
	when := time.Date(2026, 11, 22, 3, 4, 5, 0, time.UTC).UnixMilli()
	c := change.Change{Op: change.DurableDelete, Namespace: "shop", Set: "orders", Digest: change.Digest{0x34, 0xF2}, LUT: when}
	odd, none, dots, null, letter := c, c, c, c, change.Change{}
	odd.Set = "a/b=c d+é\xff"
	none.Set, none.LUT = "", 0
	dots.Namespace, dots.Set = ".", ".."
	null.Namespace, null.Set = "NULL", hiveNull
	lower := null
	lower.Namespace, lower.Set = "null", "NuLl"
	for _, tt := range []struct {
		name, prefix, text string
		c                  change.Change
		want               string
	}{
		{"default", "p", defaultPath, c, "p/namespace=shop/set=orders/dt=2026-11-22/hour=03/"},
		{"no prefix", "", defaultPath, c, "namespace=shop/set=orders/dt=2026-11-22/hour=03/"},
		{"every field", "p/q", "{namespace}/{set}/{date}T{hour}.{minute}/{op}/{partition}", c, "p/q/shop/orders/2026-11-22T03.04/durable-delete/0564/"},
		{"shards", "p", "{shard:1}/{shard:16}/{shard:4096}", c, "p/0/04/0564/"},
		{"empty template", "p", "", c, "p/"},
		{"empty template and prefix", "", "", c, ""},
		{"escaped names", "p", "{set}", odd, "p/a%2Fb%3Dc%20d%2B%C3%A9%FF/"},
		{"unknown set and time", "p", defaultPath, none, "p/namespace=shop/set=__HIVE_DEFAULT_PARTITION__/dt=__HIVE_DEFAULT_PARTITION__/hour=__HIVE_DEFAULT_PARTITION__/"},
		{"names of dots", "p", "{namespace}/{set}", dots, "p/%2E/%2E%2E/"},
		{"names that are read as NULL", "p", "{namespace}/{set}", null, "p/%4EULL/%5F_HIVE_DEFAULT_PARTITION__/"},
		{"NULL in other cases", "p", "{namespace}/{set}", lower, "p/%6Eull/%4EuLl/"},
		{"dead letter without metadata", "p", "{namespace}/{op}/{shard:4}", letter, strings.Repeat("/__HIVE_DEFAULT_PARTITION__", 3)[1:] + "/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			template, err := parseTemplate(tt.prefix, tt.text)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(template.appendFolder(nil, &folderValues{c: &tt.c, time: tt.c.LUT})); strings.TrimPrefix(got, "p/") != strings.TrimPrefix(tt.want, "p/") {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestParse_errors(t *testing.T) {
	for _, tt := range []struct{ url, err string }{
		{"gs:///changes", "want gs://BUCKET/PREFIX"},
		{"gs://b/p?format=csv", "invalid format=csv: want one of ndjson, avro, parquet"},
		{"gs://b/p?compression=snappy", "invalid compression=snappy: want one of none, gzip, zstd"},
		{"gs://b/p?format=avro&compression=gzip", "invalid compression=gzip: want one of none, deflate, snappy, zstd"},
		{"gs://b/p?format=parquet&compression=deflate", "invalid compression=deflate: want one of none, snappy, gzip, zstd"},
		{"gs://b/p?linger=5s", "invalid duration linger=5s: want 0s to 4s"},
		{"gs://b/p?linger=-1s", "invalid duration linger=-1s"},
		{"gs://b/p?max-bytes=0", "invalid size max-bytes=0"},
		{"gs://b/p?max-changes=0", "invalid number max-changes=0"},
		{"gs://b/p?max-in-flight=x", "invalid size max-in-flight=x"},
		{"gs://b/p?compress=gzip", "unknown parameter compress; known are format, compression, path, linger, max-bytes, max-changes, max-in-flight"},
		{"gs://b/p?path={name}", "unknown field {name}; the fields are {namespace}, {set}, {date}, {hour}, {minute}, {op}, {partition} and {shard:N}"},
		{"gs://b/p?path={shard:0}", "invalid field {shard:0}: want a number of shards from 1 to 4096"},
		{"gs://b/p?path={shard:4097}", "invalid field {shard:4097}: want a number of shards from 1 to 4096"},
		{"gs://b/p?path=a/{set", "{set has no }"},
		{"gs://b/p?path=a//b", "path=a//b has an empty part"},
		{"gs://b/p?path=/a", "path=/a has an empty part"},
		{"gs://b/p?path=a/../b", "has an empty part, or one that is only dots"},
		{"gs://b/p?path=a%3Fb", "want only letters, digits and -_.=/~ between fields"},
		{"gs://b/p?path=" + strings.Repeat("{op}", 50), "has 1303 bytes; want at most 961"},
		{"gs://b/p?path=" + strings.Repeat("x", 400), "prefix and path have more than 400 bytes"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(u, sink.Options{}, Cloud{}); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.err)
		}
	}
}
