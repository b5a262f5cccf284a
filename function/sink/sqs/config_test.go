package sqs

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
)

func TestParse_URLs(t *testing.T) {
	const queue = "sqs://eu-west-1/123456789012/changes.fifo"
	for _, tt := range []struct{ url, err string }{
		{queue, ""},
		{queue + "?ordering=4096&dedup=off&data=json&pause=0s&max-messages=1&max-bytes=1MiB&endpoint=https://vpce-1.sqs.eu-west-1.vpce.amazonaws.com", ""},
		{queue + "?group=queue&mode=packed&packed=avro&compression=none", ""},
		{queue + "?group=shard&ordering=1", ""},
		{"sqs://us-gov-west-1/123456789012/a.fifo?endpoint=http://localhost:4566/", ""},
		{"sqs://eusc-de-east-1/123456789012/a-b_C9.fifo", ""},
		{"sqs://eu-west-1/123456789012/changes", "want a FIFO queue, whose name ends in .fifo"},
		{"sqs://eu-west-1/123456789012/a/b.fifo", "the name of a FIFO queue has"},
		{"sqs://eu-west-1/123456789012/.fifo", "the name of a FIFO queue has"},
		{"sqs://eu-west-1/123456789012/" + strings.Repeat("a", 76) + ".fifo", "the name of a FIFO queue has"},
		{"sqs://eu-west-1/123456789012/a%20b.fifo", "the name of a FIFO queue has"},
		{"sqs://eu-west-1/12345/changes.fifo", "want sqs://REGION/ACCOUNT/NAME.fifo"},
		{"sqs://ireland/123456789012/changes.fifo", "want sqs://REGION/ACCOUNT/NAME.fifo"},
		{"sqs://eu-west-1/123456789012", "want sqs://REGION/ACCOUNT/NAME.fifo"},
		{"sqs://sqs.eu-west-1.amazonaws.com/123456789012/changes.fifo", "want sqs://REGION/ACCOUNT/NAME.fifo"},
		{queue + "?ordering=0", "invalid number ordering=0: want 1 to 4096"},
		{queue + "?ordering=4097", "invalid number ordering=4097"},
		{queue + "?group=queue&ordering=256", "ordering=256 is for group=shard"},
		{queue + "?group=none", "invalid group=none: want one of shard, queue"},
		{queue + "?dedup=yes", "invalid dedup=yes: want one of on, off"},
		{queue + "?data=bigquery", "invalid data=bigquery"},
		{queue + "?data=json&mode=packed", "data=json is for mode=single"},
		{queue + "?max-bytes=1MB", "invalid size max-bytes=1MB"},
		{queue + "?max-bytes=1048575", "invalid size max-bytes=1048575"},
		{queue + "?endpoint=eu-west-1", "invalid endpoint=eu-west-1: want https://HOST"},
		{queue + "?endpoint=https://u:p@host", "want https://HOST"},
		{queue + "?endpoint=https://host/path", "want https://HOST"},
		{queue + "?linger=1s", "unknown parameter linger; known are data, mode, packed, compression, ordering, group, dedup, pause, max-messages, max-bytes, endpoint"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Parse(u, sink.Options{})
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.url, err, tt.err)
		}
	}
}

// Only a sink that encodes changes itself needs their bins.
func TestParse_bins(t *testing.T) {
	for query, want := range map[string]bool{"": false, "?data=as-received": false, "?data=json": true, "?mode=packed": true} {
		u, err := url.Parse("sqs://eu-west-1/123456789012/changes.fifo" + query)
		if err != nil {
			t.Fatal(err)
		}
		if spec, err := Parse(u, sink.Options{}); err != nil || spec.Bins != want {
			t.Errorf("%s: bins %v, %v", query, spec.Bins, err)
		}
	}
}
