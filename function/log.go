package function

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"

	"github.com/aerosink/aerosink/connector/cloudlog"
)

// NewLogger returns a logger for the process: lines for Cloud Logging where Cloud
// Run has set K_SERVICE, text elsewhere. The least level is LOG_LEVEL's; where that
// is none, which is a fault of the configuration, it is the default.
func NewLogger(w io.Writer, getenv func(string) string) *slog.Logger {
	var level slog.Level // info is its zero value
	_ = level.UnmarshalText([]byte(logLevel.of(getenv)))
	if getenv("K_SERVICE") == "" {
		return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(cloudlog.NewHandler(w, level))
}

// reportedError makes Error Reporting take up a line of the log
// (https://cloud.google.com/error-reporting/docs/formatting-error-messages).
const reportedError = "type.googleapis.com/google.devtools.clouderrorreporting.v1beta1.ReportedErrorEvent"

// logPanic logs what was recovered from a panic, with the stack. Only what the
// runtime says of it is known to hold no data of users.
func logPanic(ctx context.Context, log *slog.Logger, recovered any, attributes []slog.Attr) {
	at := debug.Stack()
	if f, ok := recovered.(*fall); ok {
		recovered, at = f.value, f.stack
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

// answerPanic answers a request whose handling panicked, but for the panic that
// means to cut the connection. It must be deferred.
func (r *Receiver) answerPanic(w http.ResponseWriter, req *http.Request, from origin) {
	recovered := recover()
	if recovered == nil {
		return
	}
	if err, ok := recovered.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(recovered)
	}
	logPanic(req.Context(), r.log, recovered, from.attributes(r.project.get()))
	p := &problem{Status: http.StatusInternalServerError, Detail: "the server has a fault; its log says more"}
	finish(w, req, p)
	p.write(w)
}
