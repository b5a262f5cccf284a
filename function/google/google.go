// Package google lists the sinks of Google Cloud: Pub/Sub and Cloud Storage. The programs
// and the entry point of Cloud Run functions pass it to the function.
package google

import (
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/pubsub"
)

// Sinks returns the registry of Google's sinks, and of log: for trying things out.
func Sinks() sink.Registry {
	return sink.NewRegistry(
		sink.Kind{Scheme: "log", Example: "log:", Parse: sink.ParseLog},
		sink.Kind{Scheme: "pubsub", Example: "pubsub://PROJECT/TOPIC", Parse: pubsub.Parse},
		sink.Kind{Scheme: "gs", Example: "gs://BUCKET/PREFIX", Parse: gcs.Parse, ReadObject: gcs.ReadObject},
	)
}
