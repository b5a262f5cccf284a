// Package entry is what "gcloud functions deploy --source=." builds: Google's
// functions buildpack wants one package beside go.mod, and takes the functions
// that its imports register. See package function.
package entry

import (
	_ "github.com/GoogleCloudPlatform/functions-framework-go/functions" // tells the buildpack that functions register themselves

	_ "github.com/aerosink/aerosink/function"
)
