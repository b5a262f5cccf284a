package local

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/lambda"
	"github.com/aerosink/aerosink/function/lambda/gateway"
	"github.com/aerosink/aerosink/function/pipeline"
)

// frontFunction is the function, with the fronts that invoke it.
type frontFunction struct {
	fronts   []*front
	receiver *function.Receiver
	handler  *lambda.Handler
	slots    chan struct{} // a value for each invocation that runs
	served   chan error    // one error of each front
}

// front is a front that listens.
type front struct {
	*gateway.Gateway
	server *http.Server
	url    string
}

// openFunction opens the sinks and the fronts of the options.
func openFunction(ctx context.Context, o *options, log *slog.Logger) (*frontFunction, error) {
	f := &frontFunction{receiver: function.New(o.environment, log), slots: make(chan struct{}, o.concurrency), served: make(chan error, len(o.gateways))}
	f.handler = lambda.New(f.receiver, lambda.Options{Log: log, BasePath: o.getenv("BASE_PATH")})
	if err := f.receiver.Open(); err != nil {
		return nil, errors.Join(err, f.receiver.Close())
	}
	for i, g := range o.gateways {
		if err := f.listen(ctx, g, o.port(4+i)); err != nil {
			return nil, errors.Join(err, f.close())
		}
	}
	return f, nil
}

// listen opens a front.
func (f *frontFunction) listen(ctx context.Context, g *gateway.Gateway, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return pipeline.ListenError(g.Front.String(), address, "-ports", err)
	}
	g.Function = f
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	fr := &front{g, &http.Server{Handler: g, Protocols: protocols, ReadHeaderTimeout: time.Second}, "http://" + l.Addr().String() + "/"}
	f.fronts = append(f.fronts, fr)
	go func() { f.served <- fr.server.Serve(l) }()
	return nil
}

// Invoke implements [gateway.Function]. As many invocations run at once as -concurrency says;
// the others wait, where Lambda would start other processes.
func (f *frontFunction) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-ctx.Done():
		return nil, errors.New("too many invocations")
	}
	ctx, cancel := context.WithTimeout(ctx, lambdaTimeout)
	defer cancel()
	return f.handler.Invoke(ctx, event)
}

// close stops the fronts once they have answered, and the function.
func (f *frontFunction) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), lambdaTimeout)
	defer cancel()
	var errs []error
	for _, front := range f.fronts {
		errs = append(errs, front.server.Shutdown(ctx), ignoreClosed(<-f.served))
	}
	return errors.Join(append(errs, f.receiver.Close())...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// newLogger returns a logger of what people who try things out want to know.
func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
