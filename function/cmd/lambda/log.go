package main

import (
	"context"
	"io"
	"log/slog"
	"strings"

	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/aerosink/aerosink/connector/cloudlog"
)

// logHandler adds to each record which invocation it belongs to.
type logHandler struct{ slog.Handler }

// newLogHandler returns a handler of records in JSON, one a line, with the names that Lambda
// reads the level and the time from
// (https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-log-level.html).
func newLogHandler(w io.Writer, getenv func(string) string) slog.Handler {
	return logHandler{slog.NewJSONHandler(w, &slog.HandlerOptions{Level: logLevel(getenv), ReplaceAttr: rename})}
}

// logLevel returns the lowest level to log: LOG_LEVEL, or else the level that is set for the
// application's logs of the function in Lambda, or else info.
func logLevel(getenv func(string) string) slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(strings.TrimSpace(getenv("LOG_LEVEL")))) == nil {
		return level
	}
	switch text := getenv("AWS_LAMBDA_LOG_LEVEL"); text {
	case "TRACE":
		return slog.LevelDebug
	case "FATAL":
		return cloudlog.LevelCritical
	default:
		_ = level.UnmarshalText([]byte(text)) // it stays at info
	}
	return level
}

// rename gives slog's own attributes the names and values of Lambda, and drops what is meant
// for Google's Error Reporting.
func rename(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.TimeKey:
		a.Key = "timestamp"
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		if a.Value.Any() == cloudlog.LevelCritical {
			a.Value = slog.StringValue("FATAL")
		}
	case "@type":
		return slog.Attr{}
	}
	return a
}

// Handle implements [slog.Handler].
//
//nolint:sloglint // the keys are Lambda's
func (h logHandler) Handle(ctx context.Context, r slog.Record) error {
	if invocation, ok := lambdacontext.FromContext(ctx); ok {
		r.AddAttrs(slog.String("requestId", invocation.AwsRequestID))
	}
	if trace, ok := ctx.Value("x-amzn-trace-id").(string); ok {
		if root, ok := strings.CutPrefix(strings.SplitN(trace, ";", 2)[0], "Root="); ok {
			r.AddAttrs(slog.String("traceId", root))
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements [slog.Handler].
func (h logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return logHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements [slog.Handler].
func (h logHandler) WithGroup(name string) slog.Handler { return logHandler{h.Handler.WithGroup(name)} }
