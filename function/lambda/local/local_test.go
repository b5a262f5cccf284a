package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/cli"
	"github.com/aerosink/aerosink/connector/config"
	formatjson "github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/pipeline"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awsconfig"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// run runs the command with arguments, in an environment with these variables. The variables of
// AWS's clients are as before afterwards.
func run(ctx context.Context, t *testing.T, variables map[string]string, args []string, stdout, stderr io.Writer) error {
	for name := range awsVariables("") {
		t.Setenv(name, os.Getenv(name))
	}
	getenv := func(name string) string { return variables[name] }
	p := cli.Program{Name: "lambda", Commands: []cli.Command{Command(getenv)}}
	return p.Run(ctx, append([]string{"local"}, args...), cli.Streams{Stdout: stdout, Stderr: stderr})
}

// startLocal starts the command, which ends with the test.
func startLocal(t *testing.T, args ...string) *changetest.Output {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, ended := new(changetest.Output), make(chan error, 1)
	go func() { ended <- run(ctx, t, nil, append([]string{"-node", "127.0.0.1:0"}, args...), out, out) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("local %s: %v", args, err)
		}
	})
	out.Find(t, `Press Ctrl-C`)
	return out
}

// Done when local shows a change from the captures in the queue, with its group and its
// deduplication id. Every front passes the captures in full.
func TestLocal_once(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-front", "http-api-1", "-stage", "prod"}, {"-front", "rest-api"}, {"-front", "rest-templates"}, {"-front", "alb"}, {"-front", "alb-multi"},
		{"-front", "function-url"}, {"-concurrency", "8"}, {"-front", "rest-api", "-binary-media-types", ""},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			var out, log bytes.Buffer
			if err := run(t.Context(), t, nil, append(args, "-once"), &out, &log); err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			for _, want := range []string{
				"      group           p95\n", "      deduplication   afd071e5.X-O3wPRmmnfIRWwb9PH2jFWsEAI.m4rm9pw4.2.delete\n",
				"  record  changes  shardId-", "  object  s3://archive/changes/namespace=test/set=myset/dt=2024-12-16/hour=22/",
				"9 changes went in. All came out of SQS, in 9 messages, of Kinesis, in 9 records, and of S3, in ",
			} {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in\n%s", want, out.String())
				}
			}
			if log.Len() > 0 {
				t.Errorf("log: %s", log.String())
			}
		})
	}
}

// Without -once it follows a node and what others send.
func TestLocal_follow(t *testing.T) {
	out := startLocal(t, "-play", "-front", "http-api,function-url")
	out.Find(t, `   9  `)
	curl := out.Find(t, `\n  (curl .*)\n`)
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	text, err := exec.Command("sh", "-c", curl).CombinedOutput()
	if err != nil || !strings.Contains(string(text), `{"changes":1,"stored":1}`) {
		t.Errorf("%s: %v\n%s", curl, err, text)
	}
	out.Find(t, `  10  write +shop\.customers  2026-`)
	second := strings.Replace(curl, out.Find(t, `http-api +(\S+)`), out.Find(t, `function-url +(\S+)`), 1)
	if text, err := exec.Command("sh", "-c", second).CombinedOutput(); err != nil || !strings.Contains(string(text), `"stored":1`) {
		t.Errorf("%s: %v\n%s", second, err, text)
	}
	if n := strings.Count(out.String(), "  10  "); n != 1 {
		t.Errorf("%d messages 10", n)
	}
}

// With -o json standard output has what arrived, one object a line, and nothing else.
func TestLocal_json(t *testing.T) {
	var out, notes bytes.Buffer
	if err := run(t.Context(), t, nil, []string{"-once", "-o", "json"}, &out, &notes); err != nil {
		t.Fatal(err)
	}
	messages, records := 0, 0
	for line := range strings.Lines(out.String()) {
		var o struct {
			Queue, Group, DeduplicationID, Stream, PartitionKey string
			Attributes                                          map[string]string
			Data                                                struct{ Msg string }
		}
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		switch {
		case o.Queue == "changes.fifo" && o.Group != "" && o.DeduplicationID != "" && o.Attributes["op"] == o.Data.Msg:
			messages++
		case o.Stream == "changes" && o.PartitionKey != "" && o.Data.Msg != "":
			records++
		default:
			t.Errorf("unexpected %s", line)
		}
	}
	if messages != 9 || records != 9 || !strings.Contains(notes.String(), "object  s3://") {
		t.Errorf("%d messages, %d records, notes\n%s", messages, records, notes.String())
	}
}

// In -o line a message is one line.
func TestLocal_line(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), t, nil, []string{"-once", "-o", "line"}, &out, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "  22:38:51.220  delete  test.myset  10  generation 2\n") {
		t.Error(out.String())
	}
}

// What cannot be carried out is refused before anything is started.
func TestLocal_errors(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for _, tt := range []struct {
		args      string
		variables map[string]string
		err       string
	}{
		{"-front nginx", nil, `-front: unknown front "nginx": want one of http-api, `},
		{"-front ,", nil, "-front: no names"},
		{"-concurrency 0", nil, "-concurrency: 0 is less than 1"},
		{"-ports 65531", nil, "-ports: 65531 is not a port that 5 can follow"},
		{"-o table", nil, `-o: unknown form "table"`},
		{"-format csv", nil, `-format: unknown format "csv"`},
		{"-sinks gs://b/p", nil, "-sinks: \"gs://b/p\": unknown kind of sink; want one of log:, "},
		{"-sinks sqs://us-east-1/123456789012/a.fifo", nil, "the fakes are in eu-west-1/123456789012"},
		{"-sinks log: -o json", nil, "-sinks: log: prints to standard output"},
		{"", map[string]string{"SINKS": "gs://b/p"}, "SINKS: "},
		{"-once -format xdr", nil, "-once checks changes in json"},
		{"-once -sinks log:", nil, "-once checks the default sinks"},
		{"-once", map[string]string{"FENCE": "memory"}, "-once checks the default sinks"},
		{"-once -front rest-custom", nil, "-once needs a front that shows failures"},
		{"-node 10.0.0.1:3000", nil, "-node: the node has no passwords"},
		{"-node 127.0.0.1:" + port, nil, "for the node: bind: address already in use; choose another address with -node"},
		{"-listen 127.0.0.1:" + port, nil, "for XDR: bind: address already in use; choose another address with -listen"},
		{"-xdr /nonexistent", nil, "open /nonexistent: no such file"},
	} {
		err := run(t.Context(), t, tt.variables, append(strings.Fields(tt.args), "-timeout", "1s"), io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: error %v, want one that says %q", tt.args, err, tt.err)
		}
	}
}

// Both configurations are what connectors take.
func TestLocal_configurations(t *testing.T) {
	for _, kind := range []gateway.Front{gateway.HTTPAPI2, gateway.ALB} {
		f := &front{Gateway: &gateway.Gateway{Front: kind}, url: "http://127.0.0.1:1/"}
		c, err := config.Parse([]byte(connectorYAML(f)), "")
		if err != nil {
			t.Fatal(err)
		}
		want := 4 << 20
		if kind == gateway.ALB {
			want = 900 << 10 // and with what JSON and Base64 add, below 1 MiB
		}
		if level := c.Pipelines.Of("any", "set"); level.Stream.MaxBytes != want || level.Stream.MaxRecords != 500 {
			t.Errorf("%s: %+v", kind, level.Stream)
		}
		if c, err = config.Parse([]byte(espYAML(f)), ""); err != nil || c.Pipelines.Of("any", "set").Stream.MaxRecords != 1 {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// What there is too much of is removed, and shown once all the same.
func TestCloud_arrived(t *testing.T) {
	for name := range awsVariables("") {
		t.Setenv(name, os.Getenv(name))
	}
	c, err := openCloud(t.Context(), "127.0.0.1:0", []sink.Spec{{URL: queueSink}, {URL: streamSink}, {URL: archiveSink}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
	}()
	config, err := awsconfig.Load(t.Context(), fake.Region)
	if err != nil {
		t.Fatal(err)
	}
	queue, stream, bucket := sqs.NewFromConfig(config), kinesis.NewFromConfig(config), s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	c.many = 3
	for i := range 8 {
		text := strconv.Itoa(i)
		_, err1 := queue.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: aws.String(c.url + "/" + fake.Account + "/changes.fifo"), MessageBody: &text, MessageGroupId: &text, MessageDeduplicationId: &text})
		_, err2 := stream.PutRecord(t.Context(), &kinesis.PutRecordInput{StreamName: aws.String("changes"), PartitionKey: &text, Data: []byte(text)})
		_, err3 := bucket.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("archive"), Key: &text, Body: strings.NewReader(text)})
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		a := c.arrived()
		if len(a.messages) != 1 || len(a.records) != 1 || len(a.objects) != 1 || a.messages[0].Body != text || string(a.records[0].Data) != text || a.objects[0].Key != text {
			t.Errorf("%d: %+v", i, a)
		}
		if a := c.arrived(); len(a.messages)+len(a.records)+len(a.objects) > 0 {
			t.Errorf("%d is shown twice: %+v", i, a)
		}
		if n := max(len(c.sqs.Messages("changes.fifo")), len(c.kinesis.Records("changes")), len(c.s3.Objects("archive"))); n >= c.many {
			t.Errorf("%d are kept", n)
		}
	}
}

// The checker finds what is missing, added, misplaced or altered.
func TestChecker(t *testing.T) {
	frames, err := pipeline.Captures()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newChecker(frames[:1], formatjson.Format{StringifyMapKeys: true})
	if err != nil {
		t.Fatal(err)
	}
	k.Played()
	c := k.Entries[0].Change
	line, err := formatjson.Format{StringifyMapKeys: true}.Append(nil, &c)
	if err != nil {
		t.Fatal(err)
	}
	body := strings.TrimSuffix(string(line), "\n")
	good := func() arrivals {
		return arrivals{
			[]message{{"q", fake.SQSMessage{Body: body, Group: "p255", DeduplicationID: "d", Attributes: pipeline.ExpectedAttributes(&c)}}},
			[]record{{"s", fake.KinesisRecord{PartitionKey: "255", Data: []byte(body)}}},
			[]object{{"b", fake.S3Object{Key: "changes/namespace=" + c.Namespace + "/x", Content: line}}},
		}
	}
	if err := k.check(good()); err != nil {
		t.Fatal(err)
	}
	other := func(text string) string { return strings.Replace(text, "zzz", "zzy", 1) }
	for name, tt := range map[string]struct {
		alter  func(a *arrivals)
		reason string
	}{
		"no message":          {func(a *arrivals) { a.messages = nil }, "nothing in SQS holds the write"},
		"no record":           {func(a *arrivals) { a.records = nil }, "nothing in Kinesis holds the write"},
		"no object":           {func(a *arrivals) { a.objects = nil }, "nothing in S3 holds the write"},
		"another group":       {func(a *arrivals) { a.messages[0].Group = "p1" }, `group "p1", want "p255"`},
		"no deduplication id": {func(a *arrivals) { a.messages[0].DeduplicationID = "" }, "no deduplication id"},
		"no attributes":       {func(a *arrivals) { a.messages[0].Attributes = nil }, "attribute "},
		"another value":       {func(a *arrivals) { a.messages[0].Body = other(body) }, "this change did not go in"},
		"not Base64":          {func(a *arrivals) { a.messages[0].Attributes["encoding"] = "base64" }, "illegal base64"},
		"another key":         {func(a *arrivals) { a.records[0].PartitionKey = "1" }, `partition key "1", want "255"`},
		"another record":      {func(a *arrivals) { a.records[0].Data = []byte(other(body)) }, "this change did not go in"},
		"another line":        {func(a *arrivals) { a.objects[0].Content = []byte(other(string(line))) }, "this change did not go in"},
		"another folder":      {func(a *arrivals) { a.objects[0].Key = "x" }, "the change belongs in"},
	} {
		a := good()
		tt.alter(&a)
		if err := k.check(a); err == nil || !strings.Contains(err.Error(), tt.reason) {
			t.Errorf("%s: %v, want %q", name, err, tt.reason)
		}
	}
}

// One invocation runs at a time, and the next waits.
func TestFrontFunction_concurrency(t *testing.T) {
	f := &frontFunction{slots: make(chan struct{}, 1)}
	f.slots <- struct{}{}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := f.Invoke(ctx, nil); err == nil {
		t.Error("two invocations at once")
	}
}
