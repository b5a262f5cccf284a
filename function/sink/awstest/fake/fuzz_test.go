package fake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// Whatever a request holds, it is answered, and the fakes store nothing of one that they refuse.
func FuzzServeHTTP(f *testing.F) {
	const signature = "AWS4-HMAC-SHA256 Credential=K/20261122/eu-west-1/%s/aws4_request, SignedHeaders=host, Signature=0123456789012345678901234567890123456789012345678901234567890123"
	f.Add("AmazonSQS.SendMessageBatch", "", []byte(`{"QueueUrl":"https://sqs/123456789012/changes.fifo","Entries":[{"Id":"a","MessageBody":"b","MessageGroupId":"g","MessageDeduplicationId":"d"}]}`))
	f.Add("AmazonSQS.ReceiveMessage", "", []byte(`{"QueueUrl":"https://sqs/123456789012/changes.fifo"}`))
	f.Add("AmazonSQS.CreateQueue", "", []byte(`{"QueueName":"a.fifo","Attributes":{"FifoQueue":"true"}}`))
	f.Add("Kinesis_20131202.PutRecords", "", []byte(`{"StreamName":"changes","Records":[{"Data":"eA==","PartitionKey":"k","ExplicitHashKey":"1"}]}`))
	f.Add("Kinesis_20131202.GetRecords", "", []byte(`{"ShardIterator":"Y2hhbmdlcyBzaGFyZElkLTAwMDAwMDAwMDAwMCAw","Limit":1}`))
	f.Add("", "/archive/a", []byte("3;chunk-signature=0\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"))
	f.Add("", "/archive/a", []byte("ffffffffffffffff\r\n"))
	f.Fuzz(func(t *testing.T, target, path string, body []byte) {
		cloud := &awstest.Cloud{SQS: fake.NewSQS(), Kinesis: fake.NewKinesis(), S3: fake.NewS3()}
		if err := cloud.SQS.CreateQueue(awstest.Queue, nil); err != nil {
			t.Fatal(err)
		}
		cloud.Kinesis.CreateStream(awstest.Stream, 2)
		cloud.S3.CreateBucket(awstest.Bucket)
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header.Set("X-Amz-Date", "20261122T000000Z")
		service, contentType := "sqs", "application/x-amz-json-1.0"
		switch {
		case target == "":
			service = "s3"
			r.Method, r.URL.Path = http.MethodPut, "/"+path
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")
			r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
			r.Header.Set("X-Amz-Decoded-Content-Length", "3")
		case target[0] == 'K':
			service, contentType = "kinesis", "application/x-amz-json-1.1"
		}
		if target != "" {
			r.Header.Set("X-Amz-Target", target)
			r.Header.Set("Content-Type", contentType)
		}
		r.Header.Set("Authorization", fmt.Sprintf(signature, service))
		w := httptest.NewRecorder()
		ctx, cancel := context.WithCancel(t.Context())
		cancel() // so that nothing waits
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					panic(p)
				}
			}
		}()
		cloud.ServeHTTP(w, r.WithContext(ctx))
		stored := len(cloud.SQS.Messages(awstest.Queue)) + len(cloud.Kinesis.Records(awstest.Stream)) + len(cloud.S3.Objects(awstest.Bucket))
		if w.Code != http.StatusOK && stored > 0 {
			t.Errorf("status %d, and %d messages, records and objects are stored", w.Code, stored)
		}
	})
}
