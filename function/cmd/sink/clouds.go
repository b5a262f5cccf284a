//go:build !aws

package main

import (
	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/replay/objects"
	"github.com/aerosink/aerosink/function/replay/objects/gcs"
	"github.com/aerosink/aerosink/function/settings"
)

// newEnvironment returns the environment, with the sinks that this program offers.
func newEnvironment(getenv func(string) string) settings.Environment {
	return settings.Environment{Getenv: getenv, Sinks: google.Sinks()}
}

// buckets are the kinds of buckets that this program reads.
var buckets = objects.Buckets{"gs": gcs.Open}
