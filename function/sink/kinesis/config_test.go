package kinesis_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/kinesis"
)

func TestParse_URLs(t *testing.T) {
	const stream = "kinesis://eu-west-1/123456789012/changes"
	for _, tt := range []struct{ url, err string }{
		{stream, ""},
		{"kinesis://us-gov-west-1/123456789012/a.b_c-D", ""},
		{"kinesis://eusc-de-east-1/123456789012/changes", ""},
		{stream + "?ordering=4096&pause=1m&max-messages=1&max-bytes=10MiB&envelope=json&data=as-received&endpoint=https://vpce-1.kinesis.eu-west-1.vpce.amazonaws.com", ""},
		{stream + "?key=digest&data=xdr&endpoint=http://127.0.0.1:4567/", ""},
		{stream + "?mode=packed&packed=avro&compression=gzip&ordering=2&envelope=json", ""},
		{stream + "?ordering=0", "invalid number ordering=0: want 1 to 4096"},
		{stream + "?key=digest&ordering=2", "ordering=2 is for key=shard"},
		{stream + "?key=digest&mode=packed", "key=digest is for mode=single"},
		{stream + "?key=record", "invalid key=record: want one of shard, digest"},
		{stream + "?mode=packed&data=xdr", "data=xdr is for mode=single"},
		{stream + "?data=bigquery", "invalid data=bigquery"},
		{stream + "?envelope=xml", "invalid envelope=xml: want one of none, json"},
		{stream + "?endpoint=localhost:4567", "want a URL such as https://HOST"},
		{stream + "?endpoint=https://a/b", "want a URL such as https://HOST"},
		{stream + "?max-bytes=1MiB", "invalid size max-bytes=1MiB"},
		{stream + "?group=queue", "unknown parameter group; known are"},
		{"kinesis://eu-west-1/123456789012", "want kinesis://REGION/ACCOUNT/STREAM"},
		{"kinesis://eu-west-1/changes/123456789012", "want kinesis://REGION/ACCOUNT/STREAM"},
		{"kinesis://eu-west/123456789012/changes", "want kinesis://REGION/ACCOUNT/STREAM"},
		{"kinesis://eu-west-1/123456789012/a/b", "want kinesis://REGION/ACCOUNT/STREAM"},
		{"kinesis://eu-west-1/123456789012/" + strings.Repeat("a", 129), "want kinesis://REGION/ACCOUNT/STREAM"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = kinesis.Parse(u, sink.Options{Timeout: time.Second})
		if tt.err == "" != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.err)
		}
	}
}
