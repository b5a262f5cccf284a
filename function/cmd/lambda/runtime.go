package main

import (
	"context"
	"io"
	"log/slog"

	runtime "github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/aws"
	"github.com/aerosink/aerosink/function/lambda"
	"github.com/aerosink/aerosink/function/lambda/emf"
	"github.com/aerosink/aerosink/function/settings"
)

// runtimeAPI is the variable that Lambda sets for the processes that it runs.
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

// newEnvironment returns the environment, with the sinks that this program offers.
func newEnvironment(getenv func(string) string) settings.Environment {
	return settings.Environment{
		Getenv: getenv, Sinks: aws.Sinks(), Lambda: true, OneAtATime: lambdacontext.MaxConcurrency() <= 1, Secret: aws.Secret,
	}
}

// run answers the invocations of Lambda until the process is killed. The sinks are opened
// before the first one, in the time that Lambda gives to the start of a process. Errors are
// logged, and the next request tries again.
func run(getenv func(string) string, out io.Writer) {
	environment := newEnvironment(getenv)
	log := slog.New(newLogHandler(out, getenv))
	receiver := function.New(environment, log)
	if err := receiver.Open(); err != nil {
		log.Error("cannot open the sinks yet; each request tries again", "error", err)
	}
	runtime.Start(newHandler(receiver, environment, log, out))
}

// newHandler returns the handler of invocations. Each of them may end with a line of metrics.
func newHandler(receiver *function.Receiver, environment settings.Environment, log *slog.Logger, out io.Writer) *lambda.Handler {
	registry := prometheus.NewRegistry()
	metrics := emf.New(out, prometheus.Gatherers{receiver.Gatherer(), registry}, lambdacontext.FunctionName)
	return lambda.New(receiver, lambda.Options{
		Log: log, BasePath: environment.BasePath(), Metrics: registry,
		Answered: func(ctx context.Context) {
			if err := metrics.Write(); err != nil {
				log.ErrorContext(ctx, "no metrics", "error", err)
			}
		},
	})
}
