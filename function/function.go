// Package function receives change notifications over HTTP and answers 200 only
// when each change is durable.
//
//	┌─────────┐   ┌────────┐   ┌──────┐
//	│ request │──▶│ format │──▶│ sink │──▶ Pub/Sub, Cloud Storage
//	└─────────┘   └────────┘   └──────┘
//	    ▲           changes        │
//	    └─────── answer ◀── verdict┘
//
// [Receive] is the function that runs under the Functions Framework; importing the
// package registers it, and does nothing else. [Serve] is our own server around
// the same [Receiver]. What a sink is made of is the affair of package sink, and
// XDR sessions, routes and the connector are unknown here.
package function

import (
	"net/http"
	"os"

	"github.com/GoogleCloudPlatform/functions-framework-go/functions"
)

func init() { functions.HTTP("Receive", Receive) }

// receiver serves Receive, with the process's environment.
var receiver = New(os.Getenv, NewLogger(os.Stderr, os.Getenv))

// Receive is the entry point for the Functions Framework. It reads its
// configuration from the environment when the first request comes.
func Receive(w http.ResponseWriter, r *http.Request) { receiver.ServeHTTP(w, r) }
