package tests

import (
	"fmt"
	"testing"

	"github.com/aerosink/aerosink/function/google"
	"github.com/aerosink/aerosink/function/settings"
)

// Terraform refuses exactly the environments that the function would not start with. A
// service that never becomes ready has to be untainted by hand.
func TestIngestEnvironment_sameAsFunction(t *testing.T) {
	sizes, numbers, times := []string{"1", "8MiB", "1GiB", "64KiB", "0", "8MB", "8 M", "-1", "1.5MiB"}, []string{"1", "64", "0", "-1", "1MiB", "many"}, []string{"9s", "500ms", "1m", "1m30s", "9", "0s", "-1s", "soon"}
	for name, values := range map[string][]string{
		"MAX_BODY": sizes, "MAX_INFLATED": sizes, "MAX_IN_FLIGHT": sizes, "MAX_CHANGE": sizes, "MAX_HEADER": sizes,
		"MAX_CHANGES": numbers, "MAX_DEPTH": numbers, "HEADER_TIMEOUT": times, "BODY_TIMEOUT": times, "TIMEOUT": times,
		"LOG_LEVEL": {"debug", "info", "warn", "error", "verbose", "warning"}, "METADATA_KEY": {"meta"}, "SHOP": {"8MB"},
	} {
		for _, value := range values {
			messages := newPlan(t, variables("ingest", fmt.Sprintf(`{ environment = { %s = %q } }`, name, value))).violations("ingest")
			environment := map[string]string{"SINKS": "log:", name: value}
			found := settings.Environment{Getenv: func(name string) string { return environment[name] }, Sinks: google.Sinks()}.Examine([]string{"SINKS", name})
			if (len(messages) == 0) != (len(found.Errors) == 0) {
				t.Errorf("%s=%s: Terraform reports %q, the function %v", name, value, messages, found.Errors)
			}
		}
	}
}
