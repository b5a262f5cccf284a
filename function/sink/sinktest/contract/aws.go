package contract

import (
	"net/url"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// Parse parses the URL of a kind of sink.
type Parse func(*url.URL, sink.Options) (sink.Spec, error)

// Spec returns a Service's Spec: a sink with a URL, to which parameters are added.
func (p Parse) Spec(sinkURL string) func(t testing.TB, parameters string, o sink.Options) sink.Spec {
	return func(t testing.TB, parameters string, o sink.Options) sink.Spec {
		t.Helper()
		u, err := url.Parse(sinkURL)
		if err != nil {
			t.Fatal(err)
		}
		u.RawQuery = strings.Trim(u.RawQuery+"&"+parameters, "&")
		spec, err := p(u, o)
		if err != nil {
			t.Fatal(err)
		}
		return spec
	}
}

// SQS returns the sink of a queue, whose messages have the changes' bytes as their bodies.
func SQS(parse Parse) Sink {
	return Sink{Ordered: true, Refuses: true, Overload: "max-messages=20", Start: func(t testing.TB) Service {
		cloud := awstest.Start(t)
		return Service{
			Spec: parse.Spec(awstest.QueueSink),
			Fail: func(fault func(Request) Fault) {
				if fault == nil {
					cloud.SQS.Fail(nil)
					return
				}
				cloud.SQS.Fail(func(c *fake.SQSCall) {
					var r Request
					for _, e := range c.Entries {
						r = append(r, e.Body)
					}
					if len(r) == 0 {
						return // the call stores nothing
					}
					f := fault(r)
					switch f.Kind {
					case Unavailable, Refused:
						e := fake.SQSError{Code: "InternalError", Message: "A fault of the test."}
						if f.Kind == Refused {
							e = fake.SQSError{Code: "InvalidMessageContents", Message: "A fault of the test.", SenderFault: true}
						}
						c.FailEntry = entries(f, r, e)
					case Throttled:
						c.Error = "RequestThrottled"
					case Forbidden:
						c.Error = "AccessDenied"
					}
					apply(&c.Call, f)
				})
			},
			Stored: func(testing.TB) []string {
				var stored []string
				for _, m := range cloud.SQS.Messages(awstest.Queue) {
					stored = append(stored, m.Body)
				}
				return stored
			},
		}
	}}
}

// Kinesis returns the sink of a stream, whose records are the changes' bytes. The stream
// stores the records of each call in reverse order.
func Kinesis(parse Parse) Sink {
	return Sink{Ordered: true, Refuses: true, NoDeadLetters: true, Overload: "max-messages=20", Start: func(t testing.TB) Service {
		cloud := awstest.Start(t)
		cloud.Kinesis.Reverse(true)
		return Service{
			Spec: parse.Spec(awstest.StreamSink + "?data=as-received"),
			Fail: func(fault func(Request) Fault) {
				if fault == nil {
					cloud.Kinesis.Fail(nil)
					return
				}
				cloud.Kinesis.Fail(func(c *fake.KinesisCall) {
					var r Request
					for _, e := range c.Entries {
						r = append(r, string(e.Data))
					}
					if len(r) == 0 {
						return // the call stores nothing
					}
					f := fault(r)
					switch f.Kind {
					case Unavailable:
						c.FailEntry = entries(f, r, fake.KinesisError{Code: "InternalFailure", Message: "A fault of the test."})
					case Throttled:
						c.FailEntry = entries(f, r, fake.KinesisError{Code: "ProvisionedThroughputExceededException", Message: "A fault of the test."})
					case Forbidden:
						c.Error = "AccessDeniedException"
					case Refused:
						c.Error = "InvalidArgumentException" // Kinesis has no result for one record
					}
					apply(&c.Call, f)
				})
			},
			Stored: func(testing.TB) []string {
				var stored []string
				for _, r := range cloud.Kinesis.Records(awstest.Stream) {
					stored = append(stored, string(r.Data))
				}
				return stored
			},
		}
	}}
}

// S3 returns the archive in a bucket, whose objects have the changes' bytes as their lines.
func S3(parse Parse) Sink {
	return Sink{Overload: "max-in-flight=1", Start: func(t testing.TB) Service {
		cloud := awstest.Start(t)
		return Service{
			Spec: parse.Spec(awstest.ArchiveSink + "&linger=5ms"),
			Fail: func(fault func(Request) Fault) {
				if fault == nil {
					cloud.S3.Fail(nil)
					return
				}
				cloud.S3.Fail(func(c *fake.S3Call) {
					if c.Operation != "PutObject" {
						return
					}
					f := fault(Lines(c.Content))
					switch f.Kind {
					case Unavailable:
						c.Error = "InternalError"
					case Throttled:
						c.Error = "SlowDown"
					case Forbidden:
						c.Error = "AccessDenied"
					}
					apply(&c.Call, f)
				})
			},
			Stored: func(testing.TB) []string {
				var stored []string
				for _, o := range cloud.S3.Objects(awstest.Bucket) {
					stored = append(stored, Lines(o.Content)...)
				}
				return stored
			},
		}
	}}
}

// Lines returns the lines of an object.
func Lines(content []byte) []string {
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// entries returns the error of each entry of a request that fails.
func entries[E any](f Fault, r Request, e E) map[int]E {
	all := map[int]E{}
	for i := range r {
		all[i] = e
	}
	if f.Entries == nil {
		return all
	}
	some := map[int]E{}
	for _, i := range f.Entries {
		some[i] = e
	}
	return some
}

// apply sets what any call can suffer.
func apply(c *fake.Call, f Fault) {
	switch f.Kind {
	case Hang:
		c.Hang = make(chan struct{})
	case Lost:
		c.LoseAnswer = true
	case Held:
		c.HoldAnswer = f.Hold
	}
}
