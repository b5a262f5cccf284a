// Package lambda makes an [http.Handler] a function of AWS Lambda. What comes in is the event
// of one of Lambda's HTTP fronts, in JSON: API Gateway's HTTP API or REST API, an Application
// Load Balancer, or a function URL. What goes out is the answer in JSON that the front turns
// into an HTTP response.
//
//	┌───────┐   ┌─────────┐   ┌─────────┐
//	│ event │──▶│ request │──▶│ handler │
//	└───────┘   └─────────┘   └─────────┘
//	    ▲                          │
//	    └─ answer ◀── response ◀───┘
//
// An invocation takes these steps:
//
//  1. [Handler.Invoke] reads the event into one envelope for all fronts (event.go, scan.go),
//     and finds out which front sent it (front.go).
//  2. The envelope becomes a request (request.go, trace.go), whose context ends half a second
//     before the invocation does.
//  3. The handler answers it. The response becomes the answer (response.go).
//
// An event that cannot be right gets an answer that asks for a retry and says what to change.
// It is never guessed at, because bytes that a front has destroyed would be lost for good.
// Only an event of a service that is not HTTP, such as a queue, fails the invocation: Lambda
// would take any answer for success.
//
// The shapes of events and answers are those of AWS's documentation
// (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html,
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html,
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html).
package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function/problem"
)

const (
	// reserve is the time of an invocation that is left for its answer. An invocation that
	// takes too long is killed, together with its environment.
	reserve = 500 * time.Millisecond

	// leastTime is the least time in which storing changes is tried.
	leastTime = 100 * time.Millisecond

	// maxEvent is the size of the largest event in bytes
	// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html).
	maxEvent = 6 << 20
)

// Options are the settings of a [Handler].
type Options struct {
	// Log gets what is wrong with events. Nil logs nothing.
	Log *slog.Logger

	// BasePath is the path of a custom domain's mapping, such as /changes, which requests
	// have before their own path. It is removed.
	BasePath string

	// Metrics, unless nil, is where the Handler registers its metric.
	Metrics prometheus.Registerer

	// Answered, unless nil, is called before each Invoke returns. Nothing runs after that,
	// until the next invocation.
	Answered func(context.Context)
}

// Handler answers the events of Lambda with an [http.Handler]. It implements the interface
// Handler of aws-lambda-go. It may be used by several goroutines at once.
type Handler struct {
	handler  http.Handler
	log      *slog.Logger
	basePath string
	answered func(context.Context)
	refused  prometheus.Counter
	unseen   sync.Once // logs that failures are invisible
}

// New returns a Handler whose requests the receiver answers. The receiver may keep neither the
// request nor its body after it has returned.
func New(receiver http.Handler, o Options) *Handler {
	h := &Handler{handler: receiver, log: o.Log, answered: o.Answered, refused: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "aerosink_lambda_refused_events_total", Help: "Events that were no request, or that a front had broken.",
	})}
	if o.Metrics != nil {
		o.Metrics.MustRegister(h.refused)
	}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if base := strings.Trim(o.BasePath, "/"); base != "" {
		h.basePath = "/" + base
	}
	return h
}

// Invoke answers one event. The answer always has a status, and the error is nil, unless the
// event is one of a service without HTTP. A panic is answered 500, and the process goes on. The
// payload is neither modified nor kept.
func (h *Handler) Invoke(ctx context.Context, payload []byte) (answer []byte, err error) {
	if h.answered != nil {
		defer h.answered(ctx)
	}
	f := unknownFront
	defer func() {
		if recovered := recover(); recovered != nil {
			h.logPanic(ctx, recovered)
			answer = problemAnswer(f, &problem.Problem{Status: http.StatusInternalServerError, Detail: "internal error; see the function's log"})
		}
	}()
	e := newEvent()
	if err := e.read(payload); err != nil {
		e.free()
		return h.refuse(ctx, f, unreadable(payload, err)), nil
	}
	f = e.front()
	answer, err = h.answer(ctx, e, f)
	e.free() // not after a panic: the body may still be in use
	return answer, err
}

// answer answers the event of a front.
func (h *Handler) answer(ctx context.Context, e *event, f front) ([]byte, error) {
	switch {
	case f == unknownFront && e.otherService() != "":
		return nil, h.reject(ctx, e.otherService())
	case f == unknownFront:
		return h.refuse(ctx, f, retry("not an event of API Gateway, a load balancer or a function URL; send changes through one of these")), nil
	case f == restOther:
		h.unseen.Do(func() { h.logUnseen(ctx) })
	}
	ctx, cancel, err := budget(ctx)
	if err != nil {
		return h.refuse(ctx, f, retry(err.Error())), nil
	}
	defer cancel()
	req, err := h.request(ctx, e, f)
	if err != nil {
		return h.refuse(ctx, f, retry(err.Error())), nil
	}
	w := &response{header: http.Header{}}
	h.handler.ServeHTTP(w, req)
	return w.encode(f, req.Method), nil
}

// reject logs and returns the error of an event of a service without HTTP.
func (h *Handler) reject(ctx context.Context, service string) error {
	err := fmt.Errorf("an event of %.40q, which is not an HTTP request: remove this trigger from the function, which stores only changes that connectors POST", service)
	h.refused.Inc()
	h.log.LogAttrs(ctx, slog.LevelError, "event not handled", slog.String("error", err.Error()))
	return err
}

// logPanic logs a recovered panic, with its stack. Only the runtime's own errors are known to
// hold no user data; of any other value it logs only the type.
func (h *Handler) logPanic(ctx context.Context, recovered any) {
	what := fmt.Sprintf("%T", recovered)
	if err, ok := recovered.(runtime.Error); ok {
		what = err.Error()
	}
	h.log.LogAttrs(ctx, slog.LevelError, "panic", slog.String("error", what), slog.String("stack_trace", string(debug.Stack())))
}

// budget returns a context that ends early enough for the answer to leave before the
// invocation ends. The error says that there is too little time to try.
func budget(ctx context.Context) (context.Context, context.CancelFunc, error) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}, nil
	}
	deadline = deadline.Add(-reserve)
	if left := time.Until(deadline); left < leastTime {
		return ctx, nil, fmt.Errorf("the invocation has only %s left, and %s of it are for the answer; set the function's timeout to 12 seconds or more", (left + reserve).Round(time.Millisecond), reserve)
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	return ctx, cancel, nil
}

// unreadable returns the problem of an event that is not one. What Lambda has cut off can pass
// only in smaller requests, which is what senders do after a 413.
func unreadable(payload []byte, err error) *problem.Problem {
	if errors.Is(err, errEnds) && len(payload) >= maxEvent-1 {
		return &problem.Problem{
			Status: http.StatusRequestEntityTooLarge,
			Detail: "the event has more than 6 MiB, the limit of Lambda; send fewer changes at once, up to 4 MiB in a request",
		}
	}
	return retry("the event cannot be read: " + err.Error())
}

// retry returns a problem that makes senders try again.
func retry(detail string) *problem.Problem {
	return &problem.Problem{Status: http.StatusServiceUnavailable, Detail: detail}
}

// refuse logs why an event was not handled, and returns the answer that says so.
func (h *Handler) refuse(ctx context.Context, f front, p *problem.Problem) []byte {
	h.refused.Inc()
	h.log.LogAttrs(ctx, slog.LevelError, "event refused", slog.String("front", f.String()), slog.Int("status", p.Status), slog.String("error", p.Detail))
	return problemAnswer(f, p)
}

func problemAnswer(f front, p *problem.Problem) []byte {
	w := &response{header: http.Header{}}
	p.Write(w)
	return w.encode(f, "")
}

// logUnseen logs that the sender of an event will not see failures.
func (h *Handler) logUnseen(ctx context.Context) {
	h.log.LogAttrs(ctx, slog.LevelError, "failures are invisible to senders: changes that are not stored are lost",
		slog.String("error", "the REST API has a custom integration without our templates, and answers 200 whatever the function says"),
		slog.String("hint", "use a proxy integration, or our request and response templates; see function/AWS.md"))
}
