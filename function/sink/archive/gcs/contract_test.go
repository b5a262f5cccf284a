package gcs_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/sinktest"
	"github.com/aerosink/aerosink/function/sink/sinktest/contract"
)

func TestContract(t *testing.T) {
	contract.Run(t, contract.Sink{Overload: "max-in-flight=1", Start: startBucket})
}

func startBucket(t testing.TB) contract.Service {
	t.Helper()
	cloud := sinktest.New(t)
	return contract.Service{
		Spec: contract.Parse(gcs.Parse).Spec(sinktest.ArchiveSink + "?linger=5ms"),
		Fail: func(fault func(contract.Request) contract.Fault) {
			if fault == nil {
				cloud.FailStorage(nil)
				return
			}
			cloud.FailStorage(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasPrefix(r.URL.Path, "/upload/") {
					upload(t, cloud, fault, w, r)
				}
			})
		},
		Stored: func(t testing.TB) []string {
			t.Helper()
			var stored []string
			for _, o := range cloud.Objects(t) {
				stored = append(stored, contract.Lines(o.Content)...)
			}
			return stored
		},
	}
}

// upload does to an upload what a fault says.
func upload(t testing.TB, cloud *sinktest.Cloud, fault func(contract.Request) contract.Fault, w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler) // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	attrs, content, err := sinktest.Upload(r)
	if err != nil {
		t.Error(err)
		return
	}
	object, err := io.ReadAll(content)
	if err != nil {
		t.Error(err)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	switch f := fault(contract.Lines(object)); f.Kind {
	case contract.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case contract.Throttled:
		w.WriteHeader(http.StatusTooManyRequests)
	case contract.Forbidden:
		w.WriteHeader(http.StatusForbidden)
	case contract.Hang:
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	case contract.Lost:
		cloud.PassStorage(r)
		panic(http.ErrAbortHandler)
	case contract.Held:
		cloud.PassStorage(r)
		select {
		case <-f.Hold:
		case <-r.Context().Done():
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(attrs) // the client may have gone
	}
}
