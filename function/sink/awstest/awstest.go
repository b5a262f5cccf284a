// Package awstest starts fakes of AWS's services for tests: strict ones that fail as a test
// says (package fake), and ones that only count, for benchmarks. They are servers on
// loopback, which AWS's own clients in the process find through environment variables.
package awstest

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// The queue, the stream and the bucket of a Cloud, and the URLs of sinks that store in them.
const (
	Queue       = "changes.fifo"
	DeadQueue   = "dead.fifo"
	Stream      = "changes"
	Bucket      = "archive"
	QueueSink   = "sqs://" + fake.Region + "/" + fake.Account + "/" + Queue
	StreamSink  = "kinesis://" + fake.Region + "/" + fake.Account + "/" + Stream
	ArchiveSink = "s3://" + Bucket + "/changes?region=" + fake.Region
)

// Cloud is one server with fakes of SQS, Kinesis, S3 and Secrets Manager.
type Cloud struct {
	SQS     *fake.SQS
	Kinesis *fake.Kinesis
	S3      *fake.S3
	Secrets *fake.Secrets
	URL     string // such as http://127.0.0.1:1234
}

// Start starts a Cloud with the queues Queue and DeadQueue, a Stream of two shards, and a
// Bucket. It stops when the test ends.
func Start(t testing.TB) *Cloud {
	t.Helper()
	c := &Cloud{SQS: fake.NewSQS(), Kinesis: fake.NewKinesis(), S3: fake.NewS3(), Secrets: fake.NewSecrets()}
	for _, queue := range []string{Queue, DeadQueue} {
		if err := c.SQS.CreateQueue(queue, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.Kinesis.CreateStream(Stream, 2)
	c.S3.CreateBucket(Bucket)
	c.URL = serve(t, c)
	return c
}

// ServeHTTP passes a request to the service that it is for.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch service, _, _ := strings.Cut(r.Header.Get("X-Amz-Target"), "."); service {
	case "AmazonSQS":
		c.SQS.ServeHTTP(w, r)
	case "Kinesis_20131202":
		c.Kinesis.ServeHTTP(w, r)
	case "secretsmanager":
		c.Secrets.ServeHTTP(w, r)
	default:
		c.S3.ServeHTTP(w, r)
	}
}

// serve starts a server with the handler, which stops when the test ends, and has AWS's
// clients find it, with made-up credentials and nothing of the machine's configuration. It
// returns the server's URL.
func serve(t testing.TB, h http.Handler) string {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_ENDPOINT_URL_SQS": "", "AWS_ENDPOINT_URL_KINESIS": "", "AWS_ENDPOINT_URL_S3": "", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "",
		"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": empty, "AWS_SHARED_CREDENTIALS_FILE": empty, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, v)
	}
	return server.URL
}
