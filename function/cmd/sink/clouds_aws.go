//go:build aws

package main

import (
	"github.com/aerosink/aerosink/function/aws"
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/gcs"
	"github.com/aerosink/aerosink/function/replay/objects/s3"
	"github.com/aerosink/aerosink/function/settings"
)

// newEnvironment returns the environment, with the sinks of both clouds.
func newEnvironment(getenv func(string) string) settings.Environment {
	return settings.Environment{Getenv: getenv, Sinks: google.Sinks().With(aws.Sinks()), Secret: aws.Secret}
}

// buckets are the kinds of buckets that this program reads.
var buckets = objects.Buckets{"gs": gcs.Open, "s3": s3.Open}
