package sinktest_test

import (
	"hash/crc32"
	"testing"

	"cloud.google.com/go/storage"

	"github.com/aerosink/aerosink/function/sink/sinktest"
)

// Google's own client accepts the responses.
func TestDiscardStorage(t *testing.T) {
	server := sinktest.DiscardStorage(t)
	client, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	content := make([]byte, 100_000)
	for range 3 {
		w := client.Bucket("any").Object("a/b").If(storage.Conditions{DoesNotExist: true}).NewWriter(t.Context())
		w.ChunkSize = 0
		w.CRC32C, w.SendCRC32C = crc32.Checksum(content, crc32.MakeTable(crc32.Castagnoli)), true
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if w.Attrs().Name != "a/b" {
			t.Errorf("name %q", w.Attrs().Name)
		}
	}
	if server.Objects() != 3 || server.Bytes() != 300_000 {
		t.Errorf("%d objects, %d bytes", server.Objects(), server.Bytes())
	}
}
