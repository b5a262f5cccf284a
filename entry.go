// Package entry is what "gcloud functions deploy --source=." builds: Google's functions
// buildpack takes the package beside go.mod, and the functions that it registers.
package entry

import (
	"github.com/GoogleCloudPlatform/functions-framework-go/functions"

	"github.com/aerosink/aerosink/function"
	"github.com/aerosink/aerosink/function/google"
)

func init() { functions.HTTP("Receive", function.Entry(google.Sinks())) }
