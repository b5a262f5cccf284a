// Package google lists the sinks of the programs that run in Google Cloud: Pub/Sub, Cloud
// Storage, and Aerospike. The programs and the entry point of Cloud Run functions pass it to
// the function.
package google

import (
	"context"
	"net/url"

	"github.com/aerosink/aerosink/connector/credentials"
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
	"github.com/aerosink/aerosink/function/sink/archive/gcs"
	"github.com/aerosink/aerosink/function/sink/pubsub"
)

// Sinks returns the registry of these sinks, and of log: for trying things out.
func Sinks() sink.Registry {
	return sink.NewRegistry(
		sink.Kind{Scheme: "log", Example: "log:", Parse: sink.ParseLog},
		authenticated("PUBSUB_EMULATOR_HOST", sink.Kind{Scheme: "pubsub", Example: "pubsub://PROJECT/TOPIC", Parse: pubsub.Parse}),
		authenticated("STORAGE_EMULATOR_HOST", sink.Kind{Scheme: "gs", Example: "gs://BUCKET/PREFIX", Parse: gcs.Parse, ReadObject: gcs.ReadObject}),
		sink.Kind{Scheme: "aerospike", Example: "aerospike://HOST:PORT/NAMESPACE", Parse: aerospike.Parse},
	)
}

// authenticated returns the kind with a check of the credentials before each use, whose
// errors name their file. The variable emulator selects an emulator.
func authenticated(emulator string, k sink.Kind) sink.Kind {
	parse, readObject := k.Parse, k.ReadObject
	k.Parse = func(u *url.URL, o sink.Options) (sink.Spec, error) {
		spec, err := parse(u, o)
		if err != nil {
			return spec, err
		}
		open, probe := spec.New, spec.Probe
		spec.New = func(ctx context.Context) (sink.Sink, error) {
			if err := credentials.Check(emulator); err != nil {
				return nil, err
			}
			return open(ctx)
		}
		spec.Probe = func(ctx context.Context) error {
			if err := credentials.Check(emulator); err != nil {
				return err
			}
			return probe(ctx)
		}
		return spec, nil
	}
	if readObject != nil {
		k.ReadObject = func(ctx context.Context, url string, limit int64) ([]byte, error) {
			if err := credentials.Check(emulator); err != nil {
				return nil, err
			}
			return readObject(ctx, url, limit)
		}
	}
	return k
}
