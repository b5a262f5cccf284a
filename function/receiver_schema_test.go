package function_test

import (
	"net/http"
	"os"
	"testing"

	"cloud.google.com/go/storage"

	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// upload writes an object to the bucket.
func upload(t *testing.T, name string, content []byte) {
	t.Helper()
	client, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	w := client.Bucket(sinktest.Bucket).Object(name).NewWriter(t.Context())
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// A schema in Cloud Storage is read on first need. Until that succeeds, every request is
// refused and tries again.
func TestServeHTTP_schemaInCloudStorage(t *testing.T) {
	cloud := sinktest.New(t)
	const path = "gs://" + sinktest.Bucket + "/schemas/shop.avsc"
	getenv := env("SINKS", sinktest.PubSubSink, "AVRO_SCHEMA", path)
	r, _ := newReceiver(t, getenv)
	datum := sample(t, "avro-map-write.avro.hex")
	checkProblem(t, post(r, "application/avro", datum), http.StatusServiceUnavailable, "environment: AVRO_SCHEMA: read "+path)
	found := environment(getenv).Examine(nil)
	if c := found.Connect(t.Context())[0]; len(found.Errors) > 0 || c.URL != path || c.Err == nil {
		t.Errorf("errors %v, connection %+v", found.Errors, c)
	}

	text, err := os.ReadFile(changetest.Testdata(t, "payloads", "schema-map.avsc"))
	if err != nil {
		t.Fatal(err)
	}
	upload(t, "schemas/shop.avsc", []byte("not a schema"))
	checkProblem(t, post(r, "application/avro", datum), http.StatusServiceUnavailable, path+": avro schema: not JSON")
	upload(t, "schemas/shop.avsc", text)
	if w := post(r, "application/avro", datum); w.Code != http.StatusOK || len(cloud.Messages()) != 1 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
	if c := found.Connect(t.Context())[0]; c.Err != nil {
		t.Error(c.Err)
	}
	cloud.FailStorage(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) })
	if w := post(r, "application/avro", datum); w.Code != http.StatusOK {
		t.Errorf("with the schema in memory: status %d", w.Code)
	}
}
