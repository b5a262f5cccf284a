package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/aerosink/aerosink/connector/change"
	"github.com/aerosink/aerosink/connector/change/changetest"
	"github.com/aerosink/aerosink/connector/format"
	"github.com/aerosink/aerosink/connector/format/json"
	"github.com/aerosink/aerosink/connector/format/raw"
	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// buildFlags are the flags of go build that AWS.md says.
var buildFlags = []string{"-trimpath", "-ldflags=-s -w", "-tags", "lambda.norpc"}

// AWS.md builds the binary with the flags that its figures are measured with.
func TestPage_build(t *testing.T) {
	text, err := os.ReadFile("../../AWS.md")
	if err != nil {
		t.Fatal(err)
	}
	flags := strings.Replace(strings.Join(buildFlags, " "), "=-s -w", "='-s -w'", 1)
	if want := "GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -v " + flags + " -o bootstrap ./function/cmd/lambda\n"; !strings.Contains(string(text), want) {
		t.Errorf("AWS.md lacks %s", want)
	}
}

// buildBootstrap builds the binary as AWS.md says, for an architecture.
func buildBootstrap(b *testing.B, architecture string) (path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "bootstrap")
	c := exec.CommandContext(b.Context(), "go", slices.Concat([]string{"build"}, buildFlags, []string{"-o", path, "."})...)
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

// discard is a sink that stores nothing.
type discard struct{}

func (discard) Put(context.Context, sink.Batch) sink.Verdicts { return nil }
func (discard) Close() error                                  { return nil }

// BenchmarkInvoke measures an invocation with 500 changes of 1 KB from the event to the answer,
// without the time of a sink.
func BenchmarkInvoke(b *testing.B) {
	const changes = 500
	environment := settings.Environment{
		Getenv:     func(name string) string { return map[string]string{"SINKS": "discard:"}[name] },
		OneAtATime: true,
		Sinks: sink.NewRegistry(sink.Kind{Scheme: "discard", Example: "discard:", Parse: func(u *url.URL, _ sink.Options) (sink.Spec, error) {
			return sink.Spec{URL: u.String(), New: func(context.Context) (sink.Sink, error) { return discard{}, nil }}, nil
		}}),
	}
	for _, f := range []format.Format{json.Format{}, raw.Format{}} {
		var records []byte
		for i := range changes {
			c := change.Change{
				Namespace: "shop", Set: "orders", Digest: change.Digest{byte(i), byte(i >> 8), 7}, Key: change.IntegerValue(int64(i)),
				Generation: 7, LUT: changetest.Receipt.UnixMilli(),
			}
			for j := range 12 {
				c.Bins = append(c.Bins, change.Bin{Name: fmt.Sprintf("bin%d", j), Value: change.StringValue(fmt.Appendf(nil, "the text in the bin of the number %d", j))})
			}
			var err error
			if records, err = f.Append(records, &c); err != nil {
				b.Fatal(err)
			}
		}
		body, mediaType := f.Seal(records, changes)
		b.Run(mediaType, func(b *testing.B) {
			log := slog.New(slog.DiscardHandler)
			receiver := function.New(environment, log)
			defer receiver.Close()
			h := newHandler(receiver, environment, log, io.Discard)
			event := []byte(strings.NewReplacer("MEDIATYPE", mediaType, "BODY", base64.StdEncoding.EncodeToString(body)).Replace(
				`{"version":"2.0","rawPath":"/","requestContext":{"http":{"method":"POST"}},"headers":{"content-type":"MEDIATYPE"},"body":"BODY","isBase64Encoded":true}`))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if answer, err := h.Invoke(b.Context(), event); err != nil || !bytes.HasPrefix(answer, []byte(`{"statusCode":200`)) {
					b.Fatalf("%s, %v", answer, err)
				}
			}
			runtime.ReadMemStats(&after)
			n := float64(b.N * changes)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/n, "ns/change")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/change")
		})
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
