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

// Discard is a fake of Cloud Storage that only counts uploads, so that a benchmark
// measures the client. The client must send the CRC32C with the attributes, before the
// content. Every bucket exists and is empty.
type Discard struct {
	objects, bytes atomic.Int64
}

// DiscardStorage starts a Discard, which stops when the test ends. Google's clients in
// the process find it through an environment variable.
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

// Bytes returns how many bytes of content were uploaded.
func (d *Discard) Bytes() int64 { return d.bytes.Load() }

// ServeHTTP accepts an upload of one request.
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
	_, _ = w.Write(attrs) // the upload counts even if the client has gone
}

// Upload parses a request that uploads an object in one piece. It returns the object's
// attributes, as JSON, and its content.
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
