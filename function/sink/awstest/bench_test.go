package awstest_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/awstest"
)

// BenchmarkInstant measures what an Instant takes of the machine for each message or record of
// 1 KB, with the server and a plain client.
func BenchmarkInstant(b *testing.B) {
	message := strings.Repeat(`{\"a\":1}`, 114)
	for _, bb := range []struct {
		name    string
		start   func(testing.TB) *awstest.Instant
		entries int
		entry   string
		around  string
	}{
		{"SQS", awstest.InstantSQS, 10, `{"Id":"0","MessageBody":"` + message + `","MessageGroupId":"p1"}`, `{"Entries":[%],"QueueUrl":"q"}`},
		{"Kinesis", awstest.InstantKinesis, 500, `{"Data":"` + strings.Repeat("eyJhIjoxfQ==", 114) + `","PartitionKey":"1"}`, `{"Records":[%],"StreamName":"s"}`},
	} {
		b.Run(bb.name, func(b *testing.B) {
			bb.start(b)
			body := []byte(strings.Replace(bb.around, "%", strings.TrimSuffix(strings.Repeat(bb.entry+",", bb.entries), ","), 1))
			if !json.Valid(body) {
				b.Fatal("the request is not JSON")
			}
			url := os.Getenv("AWS_ENDPOINT_URL")
			b.SetBytes(int64(len(body) / bb.entries))
			b.ResetTimer()
			for sent := 0; sent < b.N; sent += bb.entries {
				response, err := http.Post(url, "application/json", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, response.Body); err != nil {
					b.Fatal(err)
				}
				_ = response.Body.Close()
			}
		})
	}
}
