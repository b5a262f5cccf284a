package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// buildBootstrap builds the binary as the README says, for an architecture.
func buildBootstrap(b *testing.B, architecture string) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "bootstrap")
	c := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-tags", "lambda.norpc", "-o", path, ".")
	c.Env = append(os.Environ(), "GOOS=linux", "GOARCH="+architecture, "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return path
}

// BenchmarkColdStart measures the time from the start of the process to the answer to its
// first invocation.
func BenchmarkColdStart(b *testing.B) {
	path := buildBootstrap(b, runtime.GOARCH)
	for b.Loop() {
		b.StopTimer()
		c := exec.CommandContext(b.Context(), path)
		c.Env = os.Environ()
		event := post(1)
		b.StartTimer()
		p := startCommand(b, c, "SINKS=log:")
		if a := p.invoke(b, event, enough); a.StatusCode != http.StatusOK {
			b.Fatalf("%+v", a)
		}
		b.StopTimer()
		_ = p.Process.Kill()
		b.StartTimer()
	}
}

// BenchmarkZip reports the size of the file that Lambda gets. It may have 50 MB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
func BenchmarkZip(b *testing.B) {
	for _, architecture := range []string{"arm64", "amd64"} {
		b.Run(architecture, func(b *testing.B) {
			binary, err := os.ReadFile(buildBootstrap(b, architecture))
			if err != nil {
				b.Fatal(err)
			}
			var file bytes.Buffer
			for b.Loop() {
				file.Reset()
				w := zip.NewWriter(&file)
				w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) { return flate.NewWriter(out, 6) })
				f, err := w.Create("bootstrap")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := f.Write(binary); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(binary)), "B/binary")
			b.ReportMetric(float64(file.Len()), "B/zip")
		})
	}
}
