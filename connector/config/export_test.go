package config

import (
	"fmt"
	"strings"

	"github.com/aerosink/aerosink/connector/route"
)

// Levels are pipelines by namespace and set.
type Levels = route.Levels[Pipeline]

// Describe returns the destinations, the format and the batch size of a pipeline.
func Describe(p Pipeline) string {
	return fmt.Sprint(strings.Join(p.Rule.Destinations, "+"), " ", p.Format.Name(), " ", p.Stream.MaxRecords)
}
