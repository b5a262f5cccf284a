package sqs

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/awstest"
	"github.com/aerosink/aerosink/function/sink/awstest/fake"
)

// rewritten starts a server that passes requests on to the Cloud, and changes the first
// response that has a text.
func rewritten(t *testing.T, cloud *awstest.Cloud, text string, with func(response []byte) []byte) {
	t.Helper()
	var done atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := httptest.NewRecorder()
		cloud.ServeHTTP(recorder, r)
		body := recorder.Body.Bytes()
		if bytes.Contains(body, []byte(text)) && done.CompareAndSwap(false, true) {
			body = with(body)
		}
		w.WriteHeader(recorder.Code)
		_, _ = io.Copy(w, bytes.NewReader(body))
	}))
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
}

// A response that does not confirm a message, or another content, is no verdict: the message is
// sent again, and the queue drops the repetition.
func TestPut_strangeResponse(t *testing.T) {
	md5 := md5Of("2.1")
	for name, with := range map[string]func([]byte) []byte{
		"a message is missing": func([]byte) []byte { return []byte(`{"Successful":[{"Id":"0"}]}`) },
		"another MD5":          func(r []byte) []byte { return bytes.Replace(r, []byte(md5), []byte(md5Of("else")), 1) },
		"IDs that were not sent": func([]byte) []byte {
			return []byte(`{"Successful":[{"Id":"7"},{"Id":"x"},{}],"Failed":[{"Id":"-1","Code":"InvalidParameterValue","SenderFault":true}]}`)
		},
		"nothing":    func([]byte) []byte { return []byte(`{}`) },
		"not JSON":   func([]byte) []byte { return []byte(`<html>`) },
		"half of it": func(r []byte) []byte { return r[:len(r)/2] },
	} {
		t.Run(name, func(t *testing.T) {
			cloud := awstest.Start(t)
			var calls atomic.Int64
			cloud.SQS.Fail(func(c *fake.SQSCall) {
				if c.Operation == "SendMessageBatch" {
					calls.Add(1)
				}
			})
			rewritten(t, cloud, md5, with)
			s := open(t, awstest.QueueSink, sink.Options{})
			wantVerdicts(t, s.Put(t.Context(), batchOf(version(1, 1), version(2, 1))), "ok ok")
			wantBodies(t, cloud, "1.1 2.1")
			if n := calls.Load(); n < 2 {
				t.Errorf("%d calls, want another one", n)
			}
		})
	}
}
