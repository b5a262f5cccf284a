package commands

import "testing"

func TestReplayURL(t *testing.T) {
	for text, want := range map[string]string{
		"gs://b/p":                        "gs://b/p?linger=0s",
		"gs://b/p?format=avro":            "gs://b/p?format=avro&linger=0s",
		"gs://b/p?linger=1s":              "gs://b/p?linger=1s",
		"GS://b/p":                        "gs://b/p?linger=0s",
		"s3://b/p?region=eu-west-1":       "s3://b/p?linger=0s&region=eu-west-1",
		"sqs://r/1/q.fifo":                "sqs://r/1/q.fifo?dedup=off",
		"sqs://r/1/q.fifo?dedup=on":       "sqs://r/1/q.fifo?dedup=on",
		"kinesis://r/1/s":                 "kinesis://r/1/s",
		"pubsub://p/t?ordering=256":       "pubsub://p/t?ordering=256",
		"gs://b/p?path=dt%3D{date}&x=y z": "gs://b/p?linger=0s&path=dt%3D%7Bdate%7D&x=y+z",
	} {
		if got := replayURL(text); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestIsBelow(t *testing.T) {
	for _, tt := range []struct {
		sink, from string
		want       bool
	}{
		{"gs://b/p", "gs://b/p", true},
		{"gs://b/p?format=avro", "gs://b/p/", true},
		{"gs://b/p/q", "gs://b", true},
		{"gs://b/p", "gs://b/p/q", false},
		{"gs://b/pq", "gs://b/p", false},
		{"gs://b/p", "s3://b/p", false},
		{"s3://b/p?region=eu-west-1", "s3://b/p", true},
		{"s3://b/p/q", "s3://b/p?region=eu-west-1", true},
		{"sqs://eu-west-1/123456789012/changes.fifo", "s3://b", false},
		{"log:", "/tmp", false},
	} {
		if got := isBelow(tt.sink, tt.from); got != tt.want {
			t.Errorf("%s in %s: %t, want %t", tt.sink, tt.from, got, tt.want)
		}
	}
}
