// Package aws lists the sinks of the programs that run in AWS. No package of Google's clouds
// is linked with it.
package aws

import (
	"github.com/aerosink/aerosink/function/sink"
	"github.com/aerosink/aerosink/function/sink/aerospike"
	"github.com/aerosink/aerosink/function/sink/archive/s3"
	"github.com/aerosink/aerosink/function/sink/kinesis"
	"github.com/aerosink/aerosink/function/sink/sqs"
)

// Sinks returns the registry of these sinks, and of log: for trying things out.
func Sinks() sink.Registry {
	return sink.NewRegistry(
		sink.Kind{Scheme: "log", Example: "log:", Parse: sink.ParseLog},
		sink.Kind{Scheme: "s3", Example: "s3://BUCKET/PREFIX", Parse: s3.Parse, ReadObject: s3.ReadObject},
		sink.Kind{Scheme: "sqs", Example: "sqs://REGION/ACCOUNT/NAME.fifo", Parse: sqs.Parse},
		sink.Kind{Scheme: "kinesis", Example: "kinesis://REGION/ACCOUNT/STREAM", Parse: kinesis.Parse},
		sink.Kind{Scheme: "aerospike", Example: "aerospike://HOST:PORT/NAMESPACE", Parse: aerospike.Parse},
	)
}
