package function

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"runtime/debug"

	"github.com/aerosink/aerosink/connector/cloudlog"
	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/store"
)

// NewLogger returns a logger for the process: JSON lines for Cloud Logging if Cloud Run has
// set K_SERVICE, text elsewhere. LOG_LEVEL is the lowest level that it logs.
func NewLogger(w io.Writer, e settings.Environment) *slog.Logger {
	if e.Getenv("K_SERVICE") == "" {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: e.LogLevel()}))
	}
	return slog.New(cloudlog.NewHandler(w, e.LogLevel()))
}

// reportedError makes Error Reporting pick up a log line
// (https://cloud.google.com/error-reporting/docs/formatting-error-messages).
const reportedError = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"

// logPanic logs a recovered panic, with its stack. Only the runtime's own errors are known
// to hold no user data; of any other value it logs only the type.
func logPanic(ctx context.Context, log *slog.Logger, recovered any, attributes []slog.Attr) {
	at := debug.Stack()
	if p, ok := recovered.(*store.SinkPanic); ok {
		recovered, at = p.Value, p.Stack
	}
	what := fmt.Sprintf("%T", recovered)
	if err, ok := recovered.(runtime.Error); ok {
		what = err.Error()
	}
	stack := "panic: " + what + "\n\n" + string(at)
	log.LogAttrs(ctx, cloudlog.LevelCritical, "panic", append(attributes,
		slog.String("error", what),
		slog.String("stack_trace", stack),
		slog.String("@type", reportedError),
	)...)
}
