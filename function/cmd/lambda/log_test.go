package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/google/go-cmp/cmp"

	"github.com/aerosink/aerosink/connector/cloudlog"
)

func TestLogHandler_names(t *testing.T) {
	for level, name := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARN", slog.LevelError: "ERROR", cloudlog.LevelCritical: "FATAL",
	} {
		var out bytes.Buffer
		log := slog.New(newLogHandler(&out, func(name string) string { return map[string]string{"LOG_LEVEL": "debug"}[name] }))
		ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id"})
		//lint:ignore SA1029 the key is that of aws-lambda-go
		ctx = context.WithValue(ctx, "x-amzn-trace-id", "Root=1-2-3;Parent=4") //nolint:staticcheck // the same
		log.With("a", 1).Log(ctx, level, "text", slog.String("@type", "of Google"), slog.Group("g", "level", "kept", "@type", "kept"))
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if _, err := time.Parse(time.RFC3339Nano, got["timestamp"].(string)); err != nil {
			t.Error(err)
		}
		delete(got, "timestamp")
		want := map[string]any{
			"level": name, "message": "text", "a": 1.0, "requestId": "id", "traceId": "1-2-3",
			"g": map[string]any{"level": "kept", "@type": "kept"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", level, diff)
		}
	}
}

// Without an invocation, as when the process starts, a record names none.
func TestLogHandler_noInvocation(t *testing.T) {
	var out bytes.Buffer
	slog.New(newLogHandler(&out, func(string) string { return "" })).WithGroup("g").Info("text", "a", 1)
	if got := out.String(); !bytes.Contains(out.Bytes(), []byte(`"message":"text","g":{"a":1}}`)) {
		t.Errorf("logged %s", got)
	}
}

func TestLogLevel(t *testing.T) {
	for _, tt := range []struct {
		own, lambda string
		want        slog.Level
	}{
		{"", "", slog.LevelInfo},
		{" warn ", "DEBUG", slog.LevelWarn},
		{"oops", "", slog.LevelInfo},
		{"oops", "ERROR", slog.LevelError},
		{"", "TRACE", slog.LevelDebug},
		{"", "DEBUG", slog.LevelDebug},
		{"", "FATAL", cloudlog.LevelCritical},
		{"", "oops", slog.LevelInfo},
	} {
		getenv := func(name string) string {
			return map[string]string{"LOG_LEVEL": tt.own, "AWS_LAMBDA_LOG_LEVEL": tt.lambda}[name]
		}
		if got := logLevel(getenv); got != tt.want {
			t.Errorf("%q, %q: %s, want %s", tt.own, tt.lambda, got, tt.want)
		}
	}
}
