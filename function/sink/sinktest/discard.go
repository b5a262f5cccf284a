package sinktest

import (
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// Discard is a Cloud Storage that takes uploads and keeps nothing but their count,
// so that a benchmark measures its client, which must send the CRC32C first. It has
// every bucket, and no object.
type Discard struct {
	objects, bytes atomic.Int64
}

// DiscardStorage starts one, for as long as the test runs. Google's clients in the
// process find it through the environment.
func DiscardStorage(t testing.TB) *Discard {
	t.Helper()
	d := &Discard{}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(server.URL, "http://"))
	return d
}

// Objects returns how many objects were uploaded.
func (d *Discard) Objects() int64 { return d.objects.Load() }

// Bytes returns how many bytes they had.
func (d *Discard) Bytes() int64 { return d.bytes.Load() }

// ServeHTTP takes an upload in one request.
func (d *Discard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	attrs, content, err := Upload(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	n, err := io.Copy(io.Discard, content)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d.objects.Add(1)
	d.bytes.Add(n)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(attrs) // a client that is gone is counted all the same
}

// Upload takes apart the request that uploads an object whole: its attributes, in
// JSON, and its content.
func Upload(r *http.Request) (attrs []byte, content io.Reader, err error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return nil, nil, err
	}
	parts := multipart.NewReader(r.Body, params["boundary"])
	first, err := parts.NextPart()
	if err != nil {
		return nil, nil, err
	}
	var object json.RawMessage
	if err := json.NewDecoder(first).Decode(&object); err != nil {
		return nil, nil, err
	}
	content, err = parts.NextPart()
	return object, content, err
}
