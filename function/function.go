// Package function receives change notifications over HTTP and answers 200 only when each
// change is durable.
//
//	┌─────────┐   ┌────────┐   ┌────────┐   ┌───────┐   ┌──────┐
//	│ request │──▶│ intake │──▶│ format │──▶│ store │──▶│ sink │──▶ Pub/Sub, Cloud Storage
//	└─────────┘   └────────┘   └────────┘   └───────┘   └──────┘
//	    ▲           body        changes                     │
//	    └───────────── answer ◀── outcome ◀── verdict ──────┘
//
// A request takes these steps:
//
//  1. [Receiver.ServeHTTP] answers health checks. The guard admits the request, and the
//     intake reads its body (package intake).
//  2. The parser of the media type turns the body into changes (package formats).
//  3. [store.Store.Put] stores them in every sink, and those that can never be stored as
//     dead letters (package store, and the packages below sink).
//  4. The answer reports the result of each change (answer.go).
//
// A [Receiver] reads the environment (package settings) and opens its sinks on the first
// request, and tries again with the next one if that fails. [Entry] makes it the entry point
// of the Functions Framework; [Serve] is our own HTTP server. The program passes a registry of
// the kinds of sinks that it supports. This package does not depend on XDR.
package function

import (
	"net/http"
	"os"

	"github.com/aerosink/aerosink/function/settings"
	"github.com/aerosink/aerosink/function/sink"
)

// Entry returns the entry point for the Functions Framework. It uses the environment of the
// process and these kinds of sinks.
func Entry(sinks sink.Registry) func(http.ResponseWriter, *http.Request) {
	e := settings.Environment{Getenv: os.Getenv, Sinks: sinks}
	return New(e, NewLogger(os.Stderr, e)).ServeHTTP
}
